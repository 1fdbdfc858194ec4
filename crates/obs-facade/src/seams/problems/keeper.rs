//! Thread that clears problems by time, stores them, and passes new ones to the hook.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, Thread};
use std::time::Duration;

use obs_history::problems::ProblemFile;

use super::hook::{Hook, Teller};
use super::process::{PROBLEMS, now_ms};
use crate::last_guard::{Guard, Guards};

/// The running keeper. Held while one begins, which waits for no disk.
static CURRENT: Mutex<Option<Running>> = Mutex::new(None);
/// Thread of the running keeper. An error that is a new problem takes the lock for reading.
static THREAD: RwLock<Option<Thread>> = RwLock::new(None);
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
            *THREAD.write().unwrap_or_else(PoisonError::into_inner) = Some(thread.thread().clone());
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
        wake();
    }
}

/// Has the keeper look at once, as for a new problem.
pub(super) fn wake() {
    let thread = THREAD.read().unwrap_or_else(PoisonError::into_inner);
    thread.iter().for_each(Thread::unpark);
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
        if settings.folder.is_some() {
            store(is_last);
        }
        if is_last {
            return;
        }
        let next = teller.tell(&is_ending).unwrap_or(LOOK);
        if !is_ending() {
            thread::park_timeout(next.min(LOOK));
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

fn store(is_last: bool) {
    if let Some(file) = &mut *lock(&FILE) {
        match is_last {
            true => file.write(&PROBLEMS, now_ms()),
            false => file.write_if_due(&PROBLEMS, now_ms()),
        }
    }
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
