//! Futures that have a scope: their context is in force for each of their polls (T2).

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::{self, Frame, Position};
use crate::trace::{EndOnUnwind, Trace};

/// Gives `future` a scope of its own, without a trace: what it attaches is its own.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// obs_trace::scope(async {
///     obs_trace::attach(obs_trace::new_trace("llm.chat"));
///     assert!(obs_trace::detach().is_some());
/// }).await;
/// # });
/// ```
pub fn scope<F: Future>(future: F) -> Carried<F> {
    Carried::new(None, future)
}

/// Gives `future` a scope of its own that begins with the caller's trace and span, to be polled elsewhere.
///
/// For executors and task sets that have no helper here. Does not end the trace.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let trace = obs_trace::new_trace("rag.query");
/// let id = trace.id();
/// trace.scope(async move {
///     let task = tokio::spawn(obs_trace::carry(async { obs_trace::current_trace().unwrap().id() }));
///     assert_eq!(task.await.unwrap(), id);
/// }).await;
/// # });
/// ```
pub fn carry<F: Future>(future: F) -> Carried<F> {
    Carried::new(context::position(), future)
}

pin_project! {
    /// The future of [`scope`] and [`carry`].
    ///
    /// ```
    /// let future: obs_trace::Carried<_> = obs_trace::carry(async {});
    /// # drop(future);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Carried<F> {
        frame: Frame,
        // Given up inside the scope, so that what its destructors do belongs to the trace.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            this.give_up();
        }
    }
}

impl<F> Carried<F> {
    fn new(position: Option<Position>, future: F) -> Carried<F> {
        Carried { frame: Frame::at(position), future: Some(future) }
    }

    fn give_up(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.future.is_some() {
            this.frame.enter(|| this.future.set(None));
        }
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.frame.enter(|| {
            let future = this.future.as_mut().as_pin_mut().expect("a future is not polled after its end");
            let poll = future.poll(cx);
            if poll.is_ready() {
                this.future.set(None);
            }
            poll
        })
    }
}

pin_project! {
    /// The future of [`Trace::scope`].
    ///
    /// ```
    /// let future: obs_trace::Scope<_> = obs_trace::new_trace("llm.chat").scope(async {});
    /// drop(future); // recorded as `cancelled`
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        trace: Trace,
        #[pin]
        carried: Carried<F>,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.trace.is_ended() {
                this.carried.give_up();
                this.trace.cancel();
            }
        }
    }
}

impl<F> Scope<F> {
    pub(crate) fn new(trace: Trace, future: F) -> Scope<F> {
        let position = Position { trace: trace.clone(), parent: None };
        Scope { trace, carried: Carried::new(Some(position), future) }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let unwinds = EndOnUnwind(this.trace);
        let poll = this.carried.poll(cx);
        std::mem::forget(unwinds);
        if poll.is_ready() {
            this.trace.finish();
        }
        poll
    }
}

impl<F> std::fmt::Debug for Carried<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carried").finish_non_exhaustive()
    }
}

impl<F> std::fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope").field("trace", &self.trace).finish_non_exhaustive()
    }
}
