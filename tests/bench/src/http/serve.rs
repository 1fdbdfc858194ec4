//! Process of a server. It is told what to do on stdin, and answers on stdout, a line each.
//!
//! First it is told its folder and the address of the collector, and says its own address. Each further line asks it to settle,
//! and it says how much processor time it has taken. It ends with its stdin.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::serve::ListenerExt;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;

use super::Stack;

/// Runs the server until the end of stdin.
pub(super) fn run<S: Stack>() {
    let mut orders = io::stdin().lock().lines().map(|line| line.expect("stdin can be read"));
    let mut order = || orders.next();
    let (Some(folder), Some(collector)) = (order(), order()) else { return };
    let mut stack = S::start(Path::new(&folder), &collector);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    say(runtime.block_on(listen(&stack)).expect("a port is free"));
    while order().is_some() {
        stack.settle();
        say(processor_time().as_secs_f64());
    }
}

async fn listen<S: Stack>(stack: &S) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // Otherwise the second chunk of a stream would wait until the client confirms the first.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    tokio::spawn(axum::serve(listener, stack.routes()).into_future());
    Ok(address)
}

fn say(line: impl ToString) {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", line.to_string()).and_then(|()| out.flush()).expect("stdout can be written");
}

/// Returns the CPU time of this process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
