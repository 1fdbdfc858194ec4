//! Scopes: futures and closures with their own context.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::drops::cancelling;
use super::frame::{self, Frame, Position};
use super::poll::measured;
use crate::Trace;
use crate::record::Outcome;
use crate::store::Carried;

/// Gives `future` its own scope, without a trace. Traces that it attaches stay in the scope.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// obs_trace::scope(async {
///     obs_trace::attach(obs_trace::new_trace("llm.chat"));
///     assert!(obs_trace::detach().is_some());
/// }).await;
/// # });
/// ```
pub fn scope<F: Future>(future: F) -> WithContext<F> {
    WithContext::new(None, Carried::NOTHING, future)
}

/// Gives `future` its own scope that begins with the caller's trace and span, to be polled elsewhere.
///
/// For executors and task sets that this crate has no helper for. Does not end the trace.
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
pub fn carry<F: Future>(future: F) -> WithContext<F> {
    WithContext::new(frame::position(), Carried::here(), future)
}

/// Gives `f` the caller's trace and span, to be run on a thread of its own.
///
/// Does not end the trace.
///
/// ```
/// let trace = obs_trace::new_trace("rag.index");
/// let id = trace.id();
/// trace.run(|| {
///     let thread = std::thread::spawn(obs_trace::carry_fn(|| obs_trace::current_trace().unwrap().id()));
///     assert_eq!(thread.join().unwrap(), id);
/// });
/// ```
pub fn carry_fn<F: FnOnce() -> R, R>(f: F) -> impl FnOnce() -> R + use<F, R> {
    let f = carry_callback(|()| f());
    move || f(())
}

/// Gives a callback the caller's trace and span, whoever calls it later.
///
/// Does not end the trace.
///
/// ```
/// let trace = obs_trace::new_trace("rag.index");
/// let id = trace.id();
/// let on_end = trace.enter(|| obs_trace::carry_callback(|_pages: u32| obs_trace::current_trace().unwrap().id()));
/// assert_eq!(on_end(7), id);
/// ```
pub fn carry_callback<F: FnOnce(A) -> R, A, R>(f: F) -> impl FnOnce(A) -> R + use<F, A, R> {
    let (mut frame, carried) = (Frame::at(frame::position()), Carried::here());
    move |argument| carried.run(|| frame.enter(|| f(argument)))
}

impl Trace {
    /// Makes the trace current while `future` runs, and ends it with the future.
    ///
    /// The status is `ok` or the code that [`fail`](Trace::fail) has set, `cancelled` if `future` is dropped before its
    /// end, and `panic` if it panics.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let trace = obs_trace::new_trace("rag.query");
    /// let id = trace.id();
    /// trace.scope(async move {
    ///     assert_eq!(obs_trace::current_trace().unwrap().id(), id);
    /// }).await;
    /// # });
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scope<F> {
        Scope::new(self, future)
    }

    /// Makes the trace current while `f` runs, and ends it afterwards, as [`scope`](Trace::scope) does for a future.
    ///
    /// ```
    /// let answer = obs_trace::new_trace("rag.query").run(|| obs_trace::in_span("search", || 42));
    /// assert_eq!(answer, 42);
    /// ```
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let record = self.address();
        let mut running = Running { frame: Frame::at(Some(Position { trace: self, parent: None })), record };
        let result = running.frame.enter(f);
        running.end(Outcome::Ok);
        result
    }

    /// Makes the trace current while `f` runs, without ending it afterwards.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        Frame::at(Some(Position { trace: self.clone(), parent: None })).enter(f)
    }

    /// Makes the trace current while `poll` polls a future, without ending it afterwards.
    ///
    /// As [`enter`](Trace::enter), and the poll is reported if it holds its worker for longer than
    /// [`Config::blocked_worker_ms`](crate::Config::blocked_worker_ms). For futures and streams that are written by hand.
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let trace = obs_trace::new_trace("llm.chat");
    /// let mut future = Box::pin(async { obs_trace::current_trace().is_some() });
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(trace.enter_poll(|| future.as_mut().poll(&mut cx)), Poll::Ready(true));
    /// # trace.finish();
    /// ```
    pub fn enter_poll<R>(&self, poll: impl FnOnce() -> R) -> R {
        self.enter(|| measured(poll))
    }
}

/// Frame of [`Trace::run`], which has the only handle of its trace that is needed. A second one would change a count twice.
struct Running {
    frame: Frame,
    /// Address of the trace's record.
    record: usize,
}

impl Running {
    fn end(&mut self, outcome: Outcome) {
        // A trace that is no longer in the frame was detached, which ended it.
        if let Some(trace) = self.frame.holds(self.record) {
            trace.0.finish_once(outcome);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect after the end.
        self.end(Outcome::Panic);
    }
}

/// Ends a trace as `panic` when it is dropped. It is forgotten otherwise, so that happens only while unwinding.
struct EndOnUnwind<'a>(&'a Trace);

impl Drop for EndOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.0.finish_once(Outcome::Panic);
    }
}

pin_project! {
    /// Future of [`scope`] and [`carry`].
    ///
    /// ```
    /// let future: obs_trace::WithContext<_> = obs_trace::carry(async {});
    /// # drop(future);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct WithContext<F> {
        frame: Frame,
        carried: Carried,
        // Dropped inside the scope, so that spans and fields of its destructors belong to the trace.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for WithContext<F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_future();
        }
    }
}

impl<F> WithContext<F> {
    fn new(position: Option<Position>, carried: Carried, future: F) -> WithContext<F> {
        WithContext { frame: Frame::at(position), carried, future: Some(future) }
    }

    fn drop_future(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.future.is_some() {
            this.carried.run(|| this.frame.enter(|| cancelling(|| this.future.set(None))));
        }
    }
}

impl<F: Future> Future for WithContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let carried = this.carried;
        carried.run(|| {
            this.frame.enter(|| {
                let future = this.future.as_mut().as_pin_mut().expect("a future is not polled after its end");
                let poll = measured(|| future.poll(cx));
                // Dropped here, while the frame is in force.
                if poll.is_ready() {
                    this.future.set(None);
                }
                poll
            })
        })
    }
}

pin_project! {
    /// Future of [`Trace::scope`].
    ///
    /// ```
    /// let future: obs_trace::Scope<_> = obs_trace::new_trace("llm.chat").scope(async {});
    /// drop(future); // recorded as `cancelled`
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        trace: Trace,
        #[pin]
        inner: WithContext<F>,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.trace.is_ended() {
                // The future goes first: its destructors may still end spans.
                this.inner.drop_future();
                this.trace.0.finish_once(Outcome::of_drop());
            }
        }
    }
}

impl<F> Scope<F> {
    fn new(trace: Trace, future: F) -> Scope<F> {
        let position = Position { trace: trace.clone(), parent: None };
        Scope { trace, inner: WithContext::new(Some(position), Carried::NOTHING, future) }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Set up before the poll, because no code after it runs if the future panics.
        let unwinds = EndOnUnwind(this.trace);
        let poll = this.inner.poll(cx);
        std::mem::forget(unwinds);
        if poll.is_ready() {
            this.trace.0.finish_once(Outcome::Ok);
        }
        poll
    }
}

impl<F> std::fmt::Debug for WithContext<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithContext").finish_non_exhaustive()
    }
}

impl<F> std::fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope").field("trace", &self.trace).finish_non_exhaustive()
    }
}
