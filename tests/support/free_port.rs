//! A port for a listener under test. The file is part of each test harness that starts listeners.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that systems hand out by themselves: asked for port 0, the system may give the same port
/// twice before its first taker listens on it, or to a connection that some other test makes in between.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port that nobody has at this moment, and that no other call in this process gets.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Each process begins elsewhere, for those that run side by side.
    let start = std::process::id().wrapping_mul(61);
    loop {
        let nth = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        assert!(nth < u32::from(COUNT), "no port is free");
        let port = FIRST + (start.wrapping_add(nth) % u32::from(COUNT)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
