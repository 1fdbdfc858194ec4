//! Thread that clears problems by time, stores them, and passes new ones to the hook.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use obs_history::problems::ProblemFile;

use super::hook::{Hook, Teller};
use super::process::{PROBLEMS, now_ms};
use super::waking;
use crate::last_guard::{Guard, Guards};

/// The running keeper. Held while one begins, which waits for no disk.
static CURRENT: Mutex<Option<Running>> = Mutex::new(None);
/// File of the problems. It outlives a change of the settings, so that nothing of it is counted twice. A keeper holds it while
/// it reads or writes, so that one which is replaced does not write at the same time.
static FILE: Mutex<Option<ProblemFile>> = Mutex::new(None);
static GUARDS: Guards = Guards::new(end);

/// Time between two looks at the clock.
const LOOK: Duration = Duration::from_secs(60);
/// Maximum wait of a drop for the last write. The end of a node must not depend on a slow disk.
const PATIENCE: Duration = Duration::from_secs(2);

struct Running {
    settings: Settings,
    ending: Arc<AtomicBool>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// Settings of the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Folder of the file; `None` if problems are in memory alone.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) hook: Option<Hook>,
}

/// Begins, replaces or ends the keeper. The same settings again change nothing.
pub(crate) fn configure(settings: Option<Settings>) -> Guard {
    let guard = GUARDS.guard();
    let mut current = lock(&CURRENT);
    if current.as_ref().map(|running| &running.settings) != settings.as_ref() {
        if let Some(before) = current.take() {
            before.end();
        }
        *current = settings.and_then(begin);
    }
    guard
}

fn begin(settings: Settings) -> Option<Running> {
    let ending = Arc::new(AtomicBool::new(false));
    let (running, ended) = channel();
    let (of_thread, is_ending) = (settings.clone(), ending.clone());
    let run = move || run(of_thread, &is_ending, &running);
    match thread::Builder::new().name("obs-problems".to_owned()).spawn(run) {
        Ok(thread) => {
            waking::set(thread.thread().clone());
            Some(Running { settings, ending, ended })
        }
        Err(error) => {
            obs_log::warn!("problems are not stored, because a thread did not start: {error}");
            None
        }
    }
}

impl Running {
    fn end(&self) {
        // Relaxed: the keeper acts on nothing else.
        self.ending.store(true, Ordering::Relaxed);
        waking::wake();
    }
}

fn run(settings: Settings, ending: &AtomicBool, _running: &Sender<()>) {
    // Relaxed: see `Running::end`.
    let is_ending = || ending.load(Ordering::Relaxed);
    if let Some(folder) = settings.folder.clone() {
        restore(folder);
    }
    let mut teller = Teller::new(settings.hook);
    loop {
        // Read first, so that the last round has all that came before the end.
        let is_last = is_ending();
        PROBLEMS.tick(now_ms());
        let until_write = if settings.folder.is_some() { store(is_last) } else { None };
        if is_last {
            return;
        }
        let until_told = teller.tell(&is_ending);
        if !is_ending() {
            let next = [until_write, until_told].into_iter().flatten().min();
            thread::park_timeout(next.unwrap_or(LOOK).min(LOOK));
        }
    }
}

/// Takes in the problems of the file, unless this process has done so before.
fn restore(folder: PathBuf) {
    let mut file = lock(&FILE);
    if file.as_ref().is_none_or(|file| file.folder() != folder) {
        file.insert(ProblemFile::new(folder)).restore(&PROBLEMS, now_ms());
    }
}

/// Stores what changed. Returns the time that is left until it may be.
fn store(is_last: bool) -> Option<Duration> {
    let mut file = lock(&FILE);
    let file = file.as_mut()?;
    if !is_last {
        return file.write_if_due(&PROBLEMS, now_ms());
    }
    file.write(&PROBLEMS, now_ms());
    None
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under one of the locks leaves an old value, which is valid.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores the problems and ends the keeper.
fn end() {
    let last = lock(&CURRENT).take();
    if let Some(last) = last {
        last.end();
        let _ = last.ended.recv_timeout(PATIENCE);
    }
}
