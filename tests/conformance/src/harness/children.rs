//! Programs that run beside the cases. All of them end with the run.

use std::collections::BTreeSet;
use std::num::NonZeroI32;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use crate::case::Outcome;

/// Running program. Dropping it kills the program.
pub(crate) struct Kept(Child);

impl Kept {
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        let child = command.spawn()?;
        running().insert(Pid::from_child(&child).as_raw_nonzero());
        Ok(Self(child))
    }
}

impl Deref for Kept {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The program may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
        running().remove(&Pid::from_child(&self.0).as_raw_nonzero());
    }
}

/// Programs that have been started and not yet ended.
fn running() -> MutexGuard<'static, BTreeSet<NonZeroI32>> {
    static RUNNING: Mutex<BTreeSet<NonZeroI32>> = Mutex::new(BTreeSet::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills the programs of cases that passed their deadline.
pub(crate) fn end_all() {
    for pid in running().iter().filter_map(|pid| Pid::from_raw(pid.get())) {
        // The program may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}
