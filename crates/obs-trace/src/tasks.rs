//! The traces of tokio tasks that run outside all scopes.
//!
//! Such a task moves between threads, so what it attaches cannot lie in a thread's frame: it would
//! be lost there, and seen by the thread's other tasks. It lies here under the task's ID.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
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

static COUNT: AtomicUsize = AtomicUsize::new(0);
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
    if have_traces() { with_tasks(|tasks| tasks.traces.get(&task).cloned()) } else { None }
}

/// Gives the trace that is replaced or pushed out, to be dropped by the caller.
pub(crate) fn attach(task: Id, trace: Trace) -> Option<Trace> {
    with_tasks(|tasks| tasks.insert(task, trace))
}

pub(crate) fn detach(task: Id) -> Option<Trace> {
    with_tasks(|tasks| tasks.traces.remove(&task))
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
        self.order.push_back(task);
        if self.order.len() > 2 * MAX_TASKS {
            self.order.retain(|task| self.traces.contains_key(task));
        }
        if self.traces.len() > MAX_TASKS { self.remove_oldest() } else { None }
    }

    fn remove_oldest(&mut self) -> Option<Trace> {
        while let Some(oldest) = self.order.pop_front() {
            if let Some(trace) = self.traces.remove(&oldest) {
                return Some(trace);
            }
        }
        None
    }
}
