//! Settings of the export.

use std::sync::LazyLock;
use std::time::Duration;

use obs_otlp::{Compression, Signal};

use crate::{Error, TraceId};

/// Settings of the export. The defaults suit a node. Only the endpoint has to be set.
///
/// ```
/// use obs_trace::otlp::Config;
///
/// let config = Config::new("http://127.0.0.1:4318")
///     .resource("service.name", "hearthnet")
///     .resource("service.instance.id", "7H4G-Y9KL");
/// assert!(config.check().is_ok());
///
/// let error = Config::new("127.0.0.1:4318").check().unwrap_err();
/// assert_eq!(error.field(), "endpoint");
/// assert!(error.to_string().contains("http://host:4318"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a configuration has no effect until it is passed to `start`"]
pub struct Config {
    pub(super) target: obs_otlp::Config,
    pub(super) only_sampled: bool,
}

/// Default `service.instance.id`: a random one for each process.
static INSTANCE: LazyLock<TraceId> = LazyLock::new(TraceId::generate);

impl Config {
    /// Exports to the collector at `endpoint`, such as `http://127.0.0.1:4318`.
    ///
    /// Requests go to its path `/v1/traces`, unless the endpoint ends in that already. No proxy is used unless
    /// the environment names one, see [`obs_otlp`]. `https` needs the
    /// feature `tls`. The resource is named `unknown_service` with a random `service.instance.id` until
    /// [`resource`](Config::resource) changes it.
    pub fn new(endpoint: impl Into<String>) -> Config {
        let target = obs_otlp::Config::new(Signal::Traces, endpoint)
            .resource("service.instance.id", INSTANCE.to_string())
            .resource("telemetry.sdk.name", env!("CARGO_PKG_NAME"))
            .resource("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
        Config { target, only_sampled: false }
    }

    /// Exports to `target`, whose resource stays as it is.
    ///
    /// ```
    /// use obs_otlp::Signal;
    ///
    /// let target = obs_otlp::Config::new(Signal::Traces, "http://127.0.0.1:4318");
    /// assert!(obs_trace::otlp::Config::of(target).check().is_ok());
    /// ```
    pub fn of(target: obs_otlp::Config) -> Config {
        Config { target, only_sampled: false }
    }

    /// Returns the endpoint as it was set.
    ///
    /// ```
    /// assert_eq!(obs_trace::otlp::Config::new("http://c:4318").endpoint(), "http://c:4318");
    /// ```
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.target.endpoint()
    }

    /// Applies a change to the settings of the target.
    fn with(self, change: impl FnOnce(obs_otlp::Config) -> obs_otlp::Config) -> Config {
        Config { target: change(self.target), ..self }
    }

    /// Sets a header of each request, such as the key that a collector asks for.
    ///
    /// It is sent in clear text to an `http` address. It is never logged, nor shown by `Debug`.
    ///
    /// ```
    /// use obs_trace::otlp::Config;
    ///
    /// let config = Config::new("http://127.0.0.1:4318").header("authorization", "Bearer hunter2");
    /// assert!(config.check().is_ok() && !format!("{config:?}").contains("hunter2"));
    ///
    /// let error = config.header("x-key", "two\nlines").check().unwrap_err();
    /// assert_eq!(error.field(), "header");
    /// ```
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Config {
        self.with(|target| target.header(name, value))
    }

    /// Sets an attribute of the resource of all traces, such as `service.name`.
    pub fn resource(self, key: impl Into<String>, value: impl Into<String>) -> Config {
        self.with(|target| target.resource(key, value))
    }

    /// Exports only traces whose caller set the flag `sampled` of its `traceparent`, and those that came without one.
    ///
    /// Off by default: every trace is exported, because the flag of an untrusted caller must not decide on it. While it is
    /// on, calls on behalf of a trace that is left out tell the next node so.
    pub fn only_sampled(mut self, on: bool) -> Config {
        self.only_sampled = on;
        self
    }

    /// Sets the compression of a request's body. [`Compression::Gzip`] by default. A collector that answers 415 gets
    /// uncompressed bodies from then on.
    pub fn compression(self, compression: Compression) -> Config {
        self.with(|target| target.compression(compression))
    }

    /// Sets the number of waiting spans that causes a request before its interval is over. 512 by default, 1 to 10 000.
    ///
    /// It is also the maximum number of spans in a request, unless [`request_spans`](Config::request_spans) sets more. A
    /// trace is never split.
    pub fn batch_spans(self, spans: usize) -> Config {
        self.with(|target| target.batch_items(spans))
    }

    /// Sets the maximum number of spans in a request when more than a batch waits. 8 192 by default, 1 to 100 000. Less
    /// than a batch has no effect.
    ///
    /// Fewer and larger requests empty a long queue sooner.
    pub fn request_spans(self, spans: usize) -> Config {
        self.with(|target| target.request_items(spans))
    }

    /// Sets the longest time that a trace waits for others while the collector keeps up. 5 s by default, 10 ms to an hour.
    pub fn interval(self, interval: Duration) -> Config {
        self.with(|target| target.interval(interval))
    }

    /// Sets the timeout of a request, from the DNS lookup to the last byte of the response. 10 s by default, 10 ms to
    /// 10 min.
    pub fn timeout(self, timeout: Duration) -> Config {
        self.with(|target| target.timeout(timeout))
    }

    /// Sets the maximum number of traces that wait. Further ones are counted and not exported. 16 384 by default, 1 to
    /// 1 000 000.
    pub fn queue_traces(self, traces: usize) -> Config {
        self.with(|target| target.queue_items(traces))
    }

    /// Sets the bytes of memory that waiting traces may take. Most of them are in the ring as well. 16 MiB by default, at
    /// least 64 KiB.
    pub fn queue_bytes(self, bytes: usize) -> Config {
        self.with(|target| target.queue_bytes(bytes))
    }

    /// Sets the delay before the first retry of a request. 1 s by default, 1 ms to 30 s.
    ///
    /// The delay doubles with each retry up to 30 s. Up to half of it is left off at random.
    pub fn first_delay(self, delay: Duration) -> Config {
        self.with(|target| target.first_delay(delay))
    }

    /// Sets the time after which retries end and the traces of the request are counted as failed. 5 min by default, at most
    /// an hour.
    pub fn give_up_after(self, time: Duration) -> Config {
        self.with(|target| target.give_up_after(time))
    }

    /// Checks the settings without exporting anything.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, or a number is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        Ok(self.target.check()?)
    }
}
