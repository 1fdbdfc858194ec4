//! Removal of the temporary file when the command is interrupted.

use std::path::Path;
use std::process;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a process that SIGINT ends, as shells show it.
const INTERRUPTED: i32 = 130;

/// Removes the file at `path` and ends the process when it is interrupted, told to end, or loses its terminal.
pub(super) fn remove(path: &Path) {
    let path = path.to_owned();
    let waiting = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let of = |kind| signal(kind).ok();
            let (Some(mut interrupt), Some(mut terminate), Some(mut hangup)) =
                (of(SignalKind::interrupt()), of(SignalKind::terminate()), of(SignalKind::hangup()))
            else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            let _ = std::fs::remove_file(&path);
            process::exit(INTERRUPTED);
        });
    };
    // Without the thread an interruption leaves the temporary file.
    let _ = thread::Builder::new().name("interrupt".to_owned()).spawn(waiting);
}
