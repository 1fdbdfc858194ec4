//! The process's one history of traces, which `configure` begins, replaces and ends.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use obs_history::{TraceHistory, TraceHistoryStats};
use obs_trace::Store;

/// The running history.
static CURRENT: Mutex<Option<Running>> = Mutex::new(None);

struct Running {
    settings: Settings,
    history: TraceHistory,
}

/// Settings of the history of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) max_bytes: u64,
}

/// Maximum time that the set-up waits for the traces of earlier runs, so that the first reader of a node finds them. A large
/// file on a slow disk is read behind the start.
const PATIENCE: Duration = Duration::from_millis(100);

/// Maximum wait for the last traces at the end. What is not written by then is in memory, and the next start writes it.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Begins, replaces or ends the history. The same settings again change nothing.
pub(crate) fn configure(settings: Option<Settings>) {
    let mut current = current();
    if current.as_ref().map(|running| &running.settings) == settings.as_ref() {
        return;
    }
    if let Some(running) = current.take() {
        end_behind(running);
    }
    *current = settings.map(|settings| {
        let history = TraceHistory::start(&Store::current(), &settings.folder, settings.max_bytes);
        history.wait(PATIENCE);
        Running { settings, history }
    });
}

/// Ends the history, which writes its last traces to the disk. Waits for that, but not for long.
pub(crate) fn end() {
    let last = current().take();
    if let Some(running) = last {
        let done = end_behind(running);
        let _ = done.recv_timeout(END_PATIENCE);
    }
}

/// Ends a history on a thread of its own, because it may wait for a slow disk. The receiver is told of the end.
fn end_behind(running: Running) -> Receiver<()> {
    let (done, ended) = mpsc::channel();
    let end = move || {
        drop(running);
        let _ = done.send(());
    };
    // If no thread can be started, the closure and the history are dropped here, which blocks.
    let _ = thread::Builder::new().name("obs-history-end".to_owned()).spawn(end);
    ended
}

/// Returns the state of the history of traces; `None` without one.
///
/// ```
/// assert_eq!(obs_facade::trace_history_stats(), None);
/// ```
#[must_use]
pub fn stats() -> Option<TraceHistoryStats> {
    current().as_ref().map(|running| running.history.stats())
}

fn current() -> MutexGuard<'static, Option<Running>> {
    // A panic under the lock leaves the old or no history, both of which are valid.
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}
