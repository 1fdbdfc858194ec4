//! Traces of tokio tasks that run outside all scopes.
//!
//! Such a task moves between threads. A trace that it attaches cannot be in a thread's frame: the task would lose it, and
//! the thread's other tasks would see it. It is here, under the task's ID.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use crate::Trace;

#[cfg(feature = "rt")]
pub(crate) use tokio::task::Id;

/// Without tokio there are no tasks.
#[cfg(not(feature = "rt"))]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id {}

/// Returns the task that runs, if any.
#[inline]
pub(crate) fn current() -> Option<Id> {
    #[cfg(feature = "rt")]
    return tokio::task::try_id();
    #[cfg(not(feature = "rt"))]
    None
}

/// Maximum number of traces. A task that ends without `detach` leaves its trace here, and the oldest ends as `cancelled`
/// when there are more.
const MAX_TASKS: usize = 4_096;

/// Number of counters in [`TASKS_BY_HASH`]. Twice the number of traces, so that most counters are zero.
const COUNTERS: usize = 2 * MAX_TASKS;

/// Number of traces.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Tasks with a trace, counted by the hash of their ID. A zero tells a task without the lock that it has no trace. A task
/// whose hash collides with another's takes the lock in vain.
// Relaxed everywhere: a task sees its own change on every thread, because the runtime orders its polls.
static TASKS_BY_HASH: [AtomicU16; COUNTERS] = [const { AtomicU16::new(0) }; COUNTERS];
// Invariant under the lock: `TASKS_BY_HASH` counts the keys of `traces`, and each key is in `order`.
static TASKS: LazyLock<Mutex<Tasks>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Tasks {
    traces: HashMap<Id, Trace>,
    /// In the order of attaching. IDs of tasks that have detached stay until the list is twice as long as it may be.
    order: VecDeque<Id>,
}

/// Returns whether any task has a trace.
#[inline]
pub(crate) fn have_traces() -> bool {
    // Relaxed: as for `TASKS_BY_HASH`. Only a task's own trace matters to it.
    COUNT.load(Ordering::Relaxed) > 0
}

pub(crate) fn trace(task: Id) -> Option<Trace> {
    if may_have_trace(task) { with_tasks(|tasks| tasks.traces.get(&task).cloned()) } else { None }
}

/// Returns whether the task may have a trace. A task that ended without `detach` must not make all others take the lock.
fn may_have_trace(task: Id) -> bool {
    // Relaxed: see `TASKS_BY_HASH`.
    have_traces() && counter_of(task).load(Ordering::Relaxed) > 0
}

fn counter_of(task: Id) -> &'static AtomicU16 {
    let mut number = Number(0);
    task.hash(&mut number);
    &TASKS_BY_HASH[number.0 as usize % COUNTERS]
}

/// Hasher that returns the number of a task's ID. Tasks that start one after the other have consecutive numbers, so they
/// do not collide.
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

/// Attaches a trace. Returns the trace that it replaces or evicts, for the caller to drop.
pub(crate) fn attach(task: Id, trace: Trace) -> Option<Trace> {
    with_tasks(|tasks| tasks.insert(task, trace))
}

pub(crate) fn detach(task: Id) -> Option<Trace> {
    if may_have_trace(task) { with_tasks(|tasks| tasks.remove(task)) } else { None }
}

/// Runs `f` under the lock. `f` must not drop a trace: that calls the logger, which may come back here.
fn with_tasks<R>(f: impl FnOnce(&mut Tasks) -> R) -> R {
    let mut tasks = TASKS.lock().unwrap_or_else(|poison| poison.into_inner());
    let result = f(&mut tasks);
    // Relaxed: written under the lock, read as a hint.
    COUNT.store(tasks.traces.len(), Ordering::Relaxed);
    result
}

impl Tasks {
    fn insert(&mut self, task: Id, trace: Trace) -> Option<Trace> {
        if let Some(known) = self.traces.get_mut(&task) {
            return Some(std::mem::replace(known, trace));
        }
        self.traces.insert(task, trace);
        // Relaxed: under the lock. Other tasks that share the counter only lose their short cut.
        counter_of(task).fetch_add(1, Ordering::Relaxed);
        self.order.push_back(task);
        // Cleaned only when it is twice as long, so that the cost per attach is constant.
        if self.order.len() > 2 * MAX_TASKS {
            self.order.retain(|task| self.traces.contains_key(task));
        }
        if self.traces.len() > MAX_TASKS { self.remove_oldest() } else { None }
    }

    fn remove(&mut self, task: Id) -> Option<Trace> {
        let trace = self.traces.remove(&task)?;
        counter_of(task).fetch_sub(1, Ordering::Relaxed);
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

    #[test]
    fn a_task_without_a_trace_takes_no_lock_although_others_left_theirs() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let forgets = || async { crate::attach(new_trace("forgotten")) };
        (0..10).for_each(|_| runtime.block_on(runtime.spawn(forgets())).unwrap());
        assert!(have_traces());
        let (told, tell) = mpsc::channel();
        let tasks = TASKS.lock().unwrap_or_else(|poison| poison.into_inner());
        runtime.spawn(async move { told.send(current_trace().is_none()).unwrap() });
        let result = tell.recv_timeout(Duration::from_secs(20));
        drop(tasks);
        assert_eq!(result, Ok(true), "the task waits for the lock");
        // A task that moves between threads keeps its trace.
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
