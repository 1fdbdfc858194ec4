//! The traces of tokio tasks that run outside all scopes.
//!
//! Such a task moves between threads, so what it attaches cannot lie in a thread's frame: it would
//! be lost there, and seen by the thread's other tasks. It lies here under the task's ID.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use crate::Trace;

#[cfg(feature = "rt")]
pub(crate) use tokio::task::Id;

/// Without tokio nothing is a task.
#[cfg(not(feature = "rt"))]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id {}

/// The task that asks, if it is one.
#[inline]
pub(crate) fn current() -> Option<Id> {
    #[cfg(feature = "rt")]
    return tokio::task::try_id();
    #[cfg(not(feature = "rt"))]
    None
}

/// A task that ends without `detach` leaves its trace here; beyond so many the oldest end as `cancelled`.
const MAX_TASKS: usize = 4_096;

/// So many places tell a task that it has no trace, without the lock.
const PLACES: usize = 2 * MAX_TASKS;

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// How many of the tasks that have a trace fall on each place. A task sees what it has changed itself, on whatever thread
/// it was then; and another task that falls on its place costs it no more than the lock.
static TASKS_AT: [AtomicU16; PLACES] = [const { AtomicU16::new(0) }; PLACES];
static TASKS: LazyLock<Mutex<Tasks>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Tasks {
    traces: HashMap<Id, Trace>,
    /// In the order of attaching; holds the IDs of tasks that have detached until they are in the way.
    order: VecDeque<Id>,
}

/// Whether any task has a trace; one relaxed load.
#[inline]
pub(crate) fn have_traces() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

pub(crate) fn trace(task: Id) -> Option<Trace> {
    if may_have_trace(task) { with_tasks(|tasks| tasks.traces.get(&task).cloned()) } else { None }
}

/// A task that has ended without `detach` is no reason for all others to take the lock.
fn may_have_trace(task: Id) -> bool {
    have_traces() && place_of(task).load(Ordering::Relaxed) > 0
}

fn place_of(task: Id) -> &'static AtomicU16 {
    let mut number = Number(0);
    task.hash(&mut number);
    &TASKS_AT[number.0 as usize % PLACES]
}

/// What an ID feeds to it: its number. Those of tasks that are started one after the other differ by one.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Gives the trace that is replaced or pushed out, to be dropped by the caller.
pub(crate) fn attach(task: Id, trace: Trace) -> Option<Trace> {
    with_tasks(|tasks| tasks.insert(task, trace))
}

pub(crate) fn detach(task: Id) -> Option<Trace> {
    if may_have_trace(task) { with_tasks(|tasks| tasks.remove(task)) } else { None }
}

/// `f` must not drop a trace.
fn with_tasks<R>(f: impl FnOnce(&mut Tasks) -> R) -> R {
    let mut tasks = TASKS.lock().unwrap_or_else(|poison| poison.into_inner());
    let result = f(&mut tasks);
    COUNT.store(tasks.traces.len(), Ordering::Relaxed);
    result
}

impl Tasks {
    fn insert(&mut self, task: Id, trace: Trace) -> Option<Trace> {
        if let Some(place) = self.traces.get_mut(&task) {
            return Some(std::mem::replace(place, trace));
        }
        self.traces.insert(task, trace);
        place_of(task).fetch_add(1, Ordering::Relaxed);
        self.order.push_back(task);
        if self.order.len() > 2 * MAX_TASKS {
            self.order.retain(|task| self.traces.contains_key(task));
        }
        if self.traces.len() > MAX_TASKS { self.remove_oldest() } else { None }
    }

    fn remove(&mut self, task: Id) -> Option<Trace> {
        let trace = self.traces.remove(&task)?;
        place_of(task).fetch_sub(1, Ordering::Relaxed);
        Some(trace)
    }

    fn remove_oldest(&mut self) -> Option<Trace> {
        while let Some(oldest) = self.order.pop_front() {
            if let Some(trace) = self.remove(oldest) {
                return Some(trace);
            }
        }
        None
    }
}

#[cfg(all(test, feature = "rt"))]
mod tests {
    use super::*;
    use crate::{current_trace, new_trace};
    use std::sync::mpsc;
    use std::time::Duration;

    /// T2: what one task has forgotten must not make all others wait for one another.
    #[test]
    fn t2_a_task_without_a_trace_takes_no_lock_for_those_that_forgot_theirs() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let forgets = || async { crate::attach(new_trace("forgotten")) };
        (0..10).for_each(|_| runtime.block_on(runtime.spawn(forgets())).unwrap());
        assert!(have_traces());
        let (told, tell) = mpsc::channel();
        let tasks = TASKS.lock().unwrap_or_else(|poison| poison.into_inner());
        runtime.spawn(async move { told.send(current_trace().is_none()).unwrap() });
        let answer = tell.recv_timeout(Duration::from_secs(20));
        drop(tasks);
        assert_eq!(answer, Ok(true), "it waits for the lock");
        // A task that is moved still has its own.
        let keeps = async {
            crate::attach(new_trace("kept"));
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert_eq!(current_trace().unwrap().capability(), "kept");
            }
            crate::detach().is_some() && current_trace().is_none()
        };
        assert!(runtime.block_on(runtime.spawn(keeps)).unwrap());
    }
}
