//! Runtime of the node's tasks.

use std::sync::Mutex;
use std::{io, panic, thread};

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Number of pipes, of two descriptors each, that must fit before the start. The runtime takes six descriptors, and
/// the node a few more.
const SPARE_PIPES: usize = 5;

/// Threads that a node needs beside the runtime's workers: one for blocking work and two for the looks at its surroundings.
const OTHER_THREADS: usize = 3;

/// Starts the runtime.
pub(crate) fn start() -> Result<Runtime, Failure> {
    let failed = |error: io::Error| Failure::error(format!("cannot start the runtime: {error}"));
    check_room().map_err(failed)?;
    // The check above cannot reserve anything: another thread may take the last descriptor in between, and tokio
    // panics then.
    let built = panic::catch_unwind(|| Builder::new_multi_thread().enable_all().build());
    built.unwrap_or_else(|_| Err(io::ErrorKind::QuotaExceeded.into())).map_err(failed)
}

/// Checks that the process may open the descriptors and start the threads. Without them tokio panics with a message
/// that does not help its user.
fn check_room() -> io::Result<()> {
    let _pipes = (0..SPARE_PIPES).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    // Guards no data. A locked gate keeps threads waiting.
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // The closed gate holds all threads until the end of the closure, so that they exist at the same time.
        let _closed = gate.lock();
        for _ in 0..workers + OTHER_THREADS {
            thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()))?;
        }
        Ok(())
    })
}
