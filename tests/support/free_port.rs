//! Port for a listener under test. Each test harness that starts listeners includes this file.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// First port below the system's ephemeral range. For port 0 the system may return one port twice before the first caller
/// listens on it, or give it to a connection of another test.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// Returns a free port that no other call in this process returns.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Each process starts at another port, because test processes run at the same time.
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
