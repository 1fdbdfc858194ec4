//! Tokio tasks that carry the trace and the span of whoever starts them (T3).

use tokio::task::{AbortHandle, JoinError, JoinHandle};

use crate::context::scope::carry;
use crate::context::{self, Frame};

/// [`tokio::spawn`], with the caller's trace and span.
///
/// The task has a scope of its own. It does not end the trace, and spans of it that are not over
/// when the trace ends are counted, not kept.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::spawn` does.
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
    tokio::spawn(carry(future))
}

/// [`tokio::task::spawn_local`], with the caller's trace and span; see [`spawn`].
///
/// # Panics
/// Outside a `LocalSet` or local runtime, as `spawn_local` does.
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
    tokio::task::spawn_local(carry(future))
}

/// [`tokio::task::spawn_blocking`], with the caller's trace and span; see [`spawn`].
///
/// # Panics
/// Outside a tokio runtime, as `spawn_blocking` does.
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
    let mut frame = Frame::at(context::position());
    tokio::task::spawn_blocking(move || frame.enter(f))
}

/// [`tokio::task::JoinSet`] whose tasks carry the trace and span of whoever starts them; see [`spawn`].
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
pub struct JoinSet<T> {
    tasks: tokio::task::JoinSet<T>,
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: tokio::task::JoinSet::new() }
    }

    /// Starts a task.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.tasks.spawn(carry(future))
    }

    /// Starts a closure that may block, on a thread for such.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let mut frame = Frame::at(context::position());
        self.tasks.spawn_blocking(move || frame.enter(f))
    }

    /// Waits for the next task to end; `None` if the set is empty.
    ///
    /// # Errors
    /// The task panicked or was aborted.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.tasks.join_next().await
    }

    /// Waits for all tasks and gives what they returned, in the order in which they ended.
    ///
    /// # Panics
    /// If a task panicked or was aborted, as tokio's `join_all` does.
    pub async fn join_all(self) -> Vec<T> {
        self.tasks.join_all().await
    }

    /// Aborts all tasks; [`join_next`](JoinSet::join_next) still gives them.
    pub fn abort_all(&mut self) {
        self.tasks.abort_all();
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }

    /// How many tasks are in the set.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The set of tokio, for what is not repeated here.
    pub fn into_inner(self) -> tokio::task::JoinSet<T> {
        self.tasks
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}
