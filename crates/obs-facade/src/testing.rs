//! Capture of lines, samples and traces in tests of a bus module, without global state.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use obs_metrics::Registry;
use obs_trace::TraceRecord;
use serde_json::Value;

/// Capture of the lines, samples and traces of one test, separate from every other test of the process.
///
/// ```
/// use obs_facade::{Logger, info, metrics, testing::Capture, trace};
///
/// static LOG: Logger = Logger::new("hearthnet.bus.router");
///
/// async fn route() {
///     info!(logger: LOG, capability = "llm.chat", ms = 12; "routed");
///     metrics::standard::requests_total().with(["llm.chat", "ok"]).inc();
///     let trace = trace::new_trace("llm.chat");
///     trace.scope(async { trace::span("forward").wrap(async {}).await }).await;
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let obs = Capture::new();
/// obs.scope(route()).await;
/// obs.logs().single("routed").field("capability", "llm.chat");
/// assert_eq!(obs.metrics().value("hearthnet_requests_total", [("result", "ok")]), 1.0);
/// assert_eq!(obs.traces().last().spans().len(), 1);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Capture {
    log: obs_log::Capture,
    registry: Registry,
    store: obs_trace::Store,
}

impl Capture {
    /// Creates an empty capture. It needs no call of `configure`.
    #[must_use]
    pub fn new() -> Self {
        // Lines and exemplars of the capture carry trace IDs without a call of `configure`.
        crate::seams::join();
        Capture::default()
    }

    /// Captures everything that `future` records until it ends or is dropped, on any thread that polls it. Tasks that it
    /// spawns are not captured.
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        // Boxed, so that it can be dropped inside the capture: a pinned field could not be set to `None`.
        Scoped { capture: self.clone(), future: Some(Box::pin(future)) }
    }

    /// Captures everything that `f` records on this thread.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _lines = self.log.enter();
        let _samples = self.registry.enter();
        let _traces = self.store.enter();
        f()
    }

    /// Returns the lines so far, of every level.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs(self.log.lines())
    }

    /// Returns a view of the samples, which reads their current values.
    #[must_use]
    pub fn metrics(&self) -> Metrics<'_> {
        Metrics(&self.registry)
    }

    /// Returns the completed traces so far, in the order of their ends.
    #[must_use]
    pub fn traces(&self) -> Traces {
        let mut records = self.store.get_recent(usize::MAX);
        // The store returns the newest first.
        records.reverse();
        Traces(records)
    }
}

/// Future that [`Capture::scope`] returns.
#[must_use = "a future does nothing unless it is polled"]
pub struct Scoped<F> {
    capture: Capture,
    // `None` once it has ended.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let future = this.future.as_mut().expect("not polled after its end");
        let output = ready!(this.capture.run(|| future.as_mut().poll(cx)));
        this.capture.run(|| this.future = None);
        Poll::Ready(output)
    }
}

impl<F> Drop for Scoped<F> {
    /// Drops the future inside the capture, because its drop may record something too, such as a cancellation.
    fn drop(&mut self) {
        self.capture.run(|| self.future = None);
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("has_ended", &self.future.is_none()).finish_non_exhaustive()
    }
}

/// Captured lines; see [`Capture::logs`].
///
/// ```
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| obs_facade::warn!(peers = 3; "lonely"));
/// assert_eq!(obs.logs().all().len(), 1);
/// obs.logs().single("lonely").field("level", "warning").field("peers", 3);
/// ```
#[derive(Debug)]
pub struct Logs(Vec<Value>);

impl Logs {
    /// Returns all lines, each as the JSON object of a day file.
    #[must_use]
    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// Returns the one line with this message.
    ///
    /// # Panics
    ///
    /// If there is none or more than one. The message shows all lines.
    #[must_use]
    pub fn single(&self, message: &str) -> Line<'_> {
        let mut with_message = self.0.iter().filter(|line| line["msg"] == message);
        match (with_message.next(), with_message.count()) {
            (Some(line), 0) => Line(line),
            (first, more) => panic!(
                "{} lines with the message {message:?}, expected one, among {:#?}",
                usize::from(first.is_some()) + more,
                self.0
            ),
        }
    }
}

/// A captured line; see [`Logs::single`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a Value);

impl Line<'_> {
    /// Asserts the value of a field.
    ///
    /// # Panics
    ///
    /// If the field is missing or has another value. The message shows the line.
    pub fn field(self, name: &str, expected: impl Into<Value>) -> Self {
        let expected = expected.into();
        assert_eq!(self.0.get(name), Some(&expected), "field {name:?} of {:#}", self.0);
        self
    }

    /// Returns the line as JSON.
    #[must_use]
    pub fn json(&self) -> &Value {
        self.0
    }
}

/// Captured samples; see [`Capture::metrics`].
///
/// ```
/// use obs_facade::metrics;
///
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| metrics::standard::blob_storage_bytes().with([]).set(7.0));
/// assert_eq!(obs.metrics().value("hearthnet_blob_storage_bytes", []), 7.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Metrics<'a>(&'a Registry);

impl Metrics<'_> {
    /// Returns the sum of the samples of family `name` that have all of these labels; 0 without any.
    #[must_use]
    pub fn value<const N: usize>(&self, name: &str, labels: [(&str, &str); N]) -> f64 {
        obs_metrics::testing::value(self.0, name, &labels).unwrap_or(0.0)
    }
}

/// Captured traces; see [`Capture::traces`].
///
/// ```
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| obs_facade::trace::new_trace("rag.query").run(|| ()));
/// assert_eq!(obs.traces().last().capability(), "rag.query");
/// ```
#[derive(Debug)]
pub struct Traces(Vec<Arc<TraceRecord>>);

impl Traces {
    /// Returns all traces, in the order of their ends.
    #[must_use]
    pub fn all(&self) -> &[Arc<TraceRecord>] {
        &self.0
    }

    /// Returns the trace that ended last.
    ///
    /// # Panics
    ///
    /// If none has ended.
    #[must_use]
    pub fn last(&self) -> &TraceRecord {
        self.0.last().expect("no trace has ended yet")
    }
}
