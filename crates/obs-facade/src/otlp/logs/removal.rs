//! Day files that the log removes before their lines were exported.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use obs_log::reader::Leaving;

use super::lines::Lines;

static EXPORT: Mutex<Export> = Mutex::new(Export::None);

/// Export that counts the lines of removed files.
enum Export {
    None,
    /// It starts after the log, which removes old files when it starts.
    Expected(Vec<Leaving>),
    Running(Weak<Lines>),
}

/// Maximum number of files that stay open until the export has started. More days without a start are rare.
const OPEN_FILES: usize = 32;

/// Prepares for an export that will start after the log has.
pub(crate) fn expect() {
    let mut export = lock();
    if !matches!(&*export, Export::Running(lines) if lines.strong_count() > 0) {
        *export = Export::Expected(Vec::new());
    }
    obs_log::set_removal_hook(note);
}

/// Tells the export of the files that were removed before it started, and from now on.
pub(super) fn begin(lines: &Arc<Lines>) {
    let before = std::mem::replace(&mut *lock(), Export::Running(Arc::downgrade(lines)));
    if let Export::Expected(files) = before
        && !files.is_empty()
    {
        count(lines, files);
    }
}

/// Notes that the file at `path` is about to be removed.
fn note(path: &Path) {
    let mut export = lock();
    let running = match &mut *export {
        Export::None => return,
        Export::Expected(files) => {
            if files.len() < OPEN_FILES {
                files.extend(Leaving::open(path).ok().flatten());
            }
            return;
        }
        Export::Running(lines) => lines.upgrade(),
    };
    drop(export);
    if let Some(lines) = running.filter(|lines| path.parent() == Some(lines.folder()))
        && let Ok(Some(leaving)) = Leaving::open(path)
    {
        count(&lines, vec![leaving]);
    }
}

/// Counts the lines on a thread of its own, because a large file takes a while and the log waits for the caller.
fn count(lines: &Arc<Lines>, files: Vec<Leaving>) {
    let lines = Arc::clone(lines);
    // Without a thread the lines are lost without a count.
    let _ = thread::Builder::new()
        .name("otlp-removed".to_owned())
        .spawn(move || files.into_iter().for_each(|file| lines.lose(file)));
}

fn lock() -> MutexGuard<'static, Export> {
    // A panic under the lock leaves an earlier or a later state, both of which are valid.
    EXPORT.lock().unwrap_or_else(PoisonError::into_inner)
}
