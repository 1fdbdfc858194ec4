//! The runtime that a node's tasks run on.

use std::sync::Mutex;
use std::{io, panic, thread};

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Pipes, of two descriptors each, that have to fit: the runtime takes six descriptors, the node a few more.
const SPARE_PIPES: usize = 5;

/// Starts the runtime.
pub(crate) fn start() -> Result<Runtime, Failure> {
    let failed = |error: io::Error| Failure::error(format!("cannot start the runtime: {error}"));
    check_room().map_err(failed)?;
    let built = panic::catch_unwind(|| Builder::new_multi_thread().enable_all().build());
    built.unwrap_or_else(|_| Err(io::ErrorKind::QuotaExceeded.into())).map_err(failed)
}

/// Makes sure that the process may have the descriptors and threads. Without them tokio panics, which would tell a person
/// at the terminal little.
fn check_room() -> io::Result<()> {
    let _pipes = (0..SPARE_PIPES).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // All of them at once, until the gate opens at the end of this closure.
        let _closed = gate.lock();
        for _ in 0..=workers {
            thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()))?;
        }
        Ok(())
    })
}
