//! Capture: the log, the registry and the store of one test.

use std::any::Any;
use std::future::Future;

use obs_metrics::Registry;

use super::{Logs, Metrics, Scoped, Traces};

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
#[derive(Clone, Debug)]
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
        #[cfg(feature = "tracing")]
        crate::seams::bridge::begin();
        let capture = Capture {
            log: obs_log::Capture::new(),
            registry: Registry::new(),
            store: obs_trace::Store::default(),
        };
        // A task or thread that takes a trace along takes the rest of the capture with it.
        let (log, registry) = (capture.log.clone(), capture.registry.clone());
        capture.store.carry_with(move || -> Box<dyn Any> { Box::new((registry.enter(), log.enter())) });
        capture
    }

    /// Captures everything that `future` records until it ends or is dropped, on any thread that polls it, and what tasks
    /// and threads record that it starts by the helpers of [`trace`](mod@crate::trace); see the [module](crate::testing).
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped::new(self.clone(), future)
    }

    /// Captures everything that `f` records on this thread, and what tasks and threads record that it starts by the helpers
    /// of [`trace`](mod@crate::trace).
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        if let Some(trace) = obs_trace::current_trace() {
            self.store.adopt(&trace);
        }
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

impl Default for Capture {
    fn default() -> Self {
        Capture::new()
    }
}
