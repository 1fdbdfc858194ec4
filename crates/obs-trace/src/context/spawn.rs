//! Tokio tasks that carry the trace and the span of the code that starts them.

use tokio::task::{AbortHandle, JoinError, JoinHandle};

use super::panic::{NotingPanic, noting_panic};
use super::scope::{WithContext, carry, carry_fn};

/// Starts a task with the caller's trace and span, by [`tokio::spawn`].
///
/// The task has its own scope. It does not end the trace. Its spans that have not ended when the trace ends are counted
/// and not kept.
///
/// A panic of the task is logged as an error, in the trace, and marks the span that started it and the task's open spans as
/// failed with `panic`. Without a current trace nothing is logged. The `JoinHandle` returns the panic as ever.
///
/// # Panics
/// Panics outside a tokio runtime, as `tokio::spawn` does.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let trace = obs_trace::new_trace("rag.query");
/// trace.scope(async {
///     obs_trace::spawn(async { assert!(obs_trace::current_trace().is_some()) }).await.unwrap();
///     tokio::spawn(async { assert!(obs_trace::current_trace().is_none()) }).await.unwrap();
/// }).await;
/// # });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task(future))
}

/// Returns the future of a task that carries the caller's trace and notes its panics.
fn task<F: Future>(future: F) -> WithContext<NotingPanic<F>> {
    carry(NotingPanic { future })
}

/// Starts a local task with the caller's trace and span, by [`tokio::task::spawn_local`]. See [`spawn`].
///
/// # Panics
/// Panics outside a `LocalSet` or local runtime, as `tokio::task::spawn_local` does.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let local = tokio::task::LocalSet::new();
/// local.run_until(async {
///     obs_trace::spawn_local(async {}).await.unwrap();
/// }).await;
/// # });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(task(future))
}

/// Runs a closure that may block with the caller's trace and span, by [`tokio::task::spawn_blocking`]. See [`spawn`].
///
/// # Panics
/// Panics outside a tokio runtime, as `tokio::task::spawn_blocking` does.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// obs_trace::new_trace("rag.index").scope(async {
///     obs_trace::spawn_blocking(|| obs_trace::in_span("read", || {})).await.unwrap();
/// }).await;
/// # });
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(carry_fn(|| noting_panic(f)))
}

/// A [`tokio::task::JoinSet`] whose tasks carry the trace and span of the code that starts them. See [`spawn`].
///
/// Dropping the set aborts its tasks.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let trace = obs_trace::new_trace("mesh.ask");
/// trace.clone().scope(async {
///     let mut set = obs_trace::JoinSet::new();
///     for peer in ["a", "b"] {
///         set.spawn(async move { obs_trace::in_span("ask", || peer.len()) });
///     }
///     while let Some(answer) = set.join_next().await {
///         assert_eq!(answer.unwrap(), 1);
///     }
/// }).await;
/// assert_eq!(trace.spans().len(), 2);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "the tasks are aborted when the set is dropped"]
pub struct JoinSet<T> {
    tasks: tokio::task::JoinSet<T>,
}

impl<T: 'static> JoinSet<T> {
    /// Makes an empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: tokio::task::JoinSet::new() }
    }

    /// Starts a task.
    ///
    /// # Panics
    /// Panics outside a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.tasks.spawn(task(future))
    }

    /// Starts a closure that may block, on a thread for blocking work.
    ///
    /// # Panics
    /// Panics outside a tokio runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.tasks.spawn_blocking(carry_fn(|| noting_panic(f)))
    }

    /// Waits for the next task to end. `None` if the set is empty.
    ///
    /// # Errors
    /// The task panicked or was aborted.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.tasks.join_next().await
    }

    /// Waits for all tasks and returns their results in the order in which they ended.
    ///
    /// # Panics
    /// Panics if a task panicked or was aborted, as tokio's `join_all` does.
    pub async fn join_all(self) -> Vec<T> {
        self.tasks.join_all().await
    }

    /// Aborts all tasks. [`join_next`](JoinSet::join_next) still returns them.
    pub fn abort_all(&mut self) {
        self.tasks.abort_all();
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Returns the number of tasks in the set.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns tokio's set, for methods that this type does not have.
    pub fn into_inner(self) -> tokio::task::JoinSet<T> {
        self.tasks
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}
