//! Where traces are exported to, and within which bounds.

pub(super) mod endpoint;
mod headers;

use std::sync::LazyLock;
use std::time::Duration;

use self::headers::Headers;
use crate::{Error, TraceId};

/// How traces are exported (T8). The default is what a node wants; only the endpoint is to be named.
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
/// assert_eq!(error.field(), "otlp_endpoint");
/// assert!(error.to_string().contains("http://host:4318"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Config {
    pub(in crate::otlp) endpoint: String,
    pub(in crate::otlp) headers: Headers,
    pub(in crate::otlp) resource: Vec<(String, String)>,
    pub(in crate::otlp) only_sampled: bool,
    pub(in crate::otlp) compression: Compression,
    pub(in crate::otlp) batch_spans: usize,
    pub(in crate::otlp) request_spans: usize,
    pub(in crate::otlp) interval: Duration,
    pub(in crate::otlp) timeout: Duration,
    pub(in crate::otlp) queue_traces: usize,
    pub(in crate::otlp) queue_bytes: usize,
    pub(in crate::otlp) first_delay: Duration,
    pub(in crate::otlp) give_up_after: Duration,
}

/// How the body of a request is compressed.
///
/// ```
/// use obs_trace::otlp::{Compression, Config};
///
/// let config = Config::new("http://127.0.0.1:4318").compression(Compression::Off);
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// `content-encoding: gzip`.
    #[default]
    Gzip,
    /// None.
    Off,
}

/// Of this process, for a node that has no name of its own.
static INSTANCE: LazyLock<TraceId> = LazyLock::new(TraceId::generate);

impl Config {
    /// Exports to the collector at `endpoint`, such as `http://127.0.0.1:4318`: to its path `/v1/traces`,
    /// unless the endpoint ends in that already, and straight there, by no proxy. `https` takes the feature `tls`.
    ///
    /// The resource is called `unknown_service` with a random `service.instance.id` until
    /// [`resource`](Config::resource) says more.
    pub fn new(endpoint: impl Into<String>) -> Config {
        let resource = [
            ("service.name", "unknown_service".to_owned()),
            ("service.instance.id", INSTANCE.to_string()),
            ("telemetry.sdk.name", env!("CARGO_PKG_NAME").to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        Config {
            endpoint: endpoint.into(),
            headers: Headers::default(),
            resource: resource.map(|(key, value)| (key.to_owned(), value)).into(),
            only_sampled: false,
            compression: Compression::Gzip,
            batch_spans: 512,
            request_spans: 8_192,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            queue_traces: 16_384,
            queue_bytes: 16 << 20,
            first_delay: Duration::from_secs(1),
            give_up_after: Duration::from_secs(300),
        }
    }

    /// Sets a header that each request has, such as the key that a collector asks for. In the clear to an `http`
    /// address; never logged, nor shown by `Debug`.
    ///
    /// ```
    /// use obs_trace::otlp::Config;
    ///
    /// let config = Config::new("http://127.0.0.1:4318").header("authorization", "Bearer hunter2");
    /// assert!(config.check().is_ok() && !format!("{config:?}").contains("hunter2"));
    ///
    /// let error = config.header("x-key", "two\nlines").check().unwrap_err();
    /// assert_eq!(error.field(), "otlp_headers");
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Config {
        self.headers.set(name.into(), value.into());
        self
    }

    /// Sets an attribute of the resource that all traces come from, such as `service.name`.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Config {
        let (key, value) = (key.into(), value.into());
        match self.resource.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => self.resource.push((key, value)),
        }
        self
    }

    /// Exports only traces whose caller set the flag `sampled` of its `traceparent`, and those that came
    /// without one. Off by default: every trace is exported, because what is worth keeping is decided
    /// on the node, and a caller's flag is a wish of somebody who may be a stranger.
    ///
    /// While it is on, calls that belong to a trace which is left out say so to the next node.
    pub fn only_sampled(mut self, on: bool) -> Config {
        self.only_sampled = on;
        self
    }

    /// Sets how the body of a request is compressed; [`Compression::Gzip`] by default. A collector that answers
    /// 415 gets uncompressed bodies from then on.
    pub fn compression(mut self, compression: Compression) -> Config {
        self.compression = compression;
        self
    }

    /// Number of waiting spans that makes a request go off before its time, and the most spans that it holds
    /// unless [`request_spans`](Config::request_spans) says more; a trace is never split. 512 by default, 1 to 10 000.
    pub fn batch_spans(mut self, spans: usize) -> Config {
        self.batch_spans = spans;
        self.request_spans = spans;
        self
    }

    /// Most spans of a request, for the times when more than a batch waits: fewer and larger requests empty a
    /// queue sooner. 8 192 by default, 1 to 100 000; less than a batch has no effect.
    pub fn request_spans(mut self, spans: usize) -> Config {
        self.request_spans = spans;
        self
    }

    /// How long a trace waits for others at most, as long as the collector keeps up. 5 s by default,
    /// 10 ms to an hour.
    pub fn interval(mut self, interval: Duration) -> Config {
        self.interval = interval;
        self
    }

    /// How long a request may take, from its name being looked up to the last byte of its answer. 10 s by
    /// default, 10 ms to 10 min.
    pub fn timeout(mut self, timeout: Duration) -> Config {
        self.timeout = timeout;
        self
    }

    /// How many traces wait to be exported at most; further ones are counted and not exported. 16 384 by
    /// default, 1 to 1 000 000.
    pub fn queue_traces(mut self, traces: usize) -> Config {
        self.queue_traces = traces;
        self
    }

    /// How many bytes of memory the traces that wait may take, most of them in the ring too. 16 MiB by default,
    /// at least 64 KiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// How long to wait before a request is made again for the first time; doubled each time up to 30 s, and
    /// each time a random part of it up to a half is left off. 1 s by default, 1 ms to 30 s.
    pub fn first_delay(mut self, delay: Duration) -> Config {
        self.first_delay = delay;
        self
    }

    /// After how long the traces of a request that is made again and again are counted as failed and given
    /// up. 5 min by default, at most an hour.
    pub fn give_up_after(mut self, time: Duration) -> Config {
        self.give_up_after = time;
        self
    }

    /// Says what is wrong with it, without exporting anything.
    ///
    /// # Errors
    /// The endpoint is no address that traces can be sent to, a header is none, or a bound is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        endpoint::parse(&self.endpoint)?;
        self.headers.parse()?;
        let ms = |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        for (field, value, least, most) in [
            ("batch_spans", self.batch_spans, 1, 10_000),
            ("request_spans", self.request_spans, 1, 100_000),
            ("interval_ms", ms(self.interval), 10, 3_600_000),
            ("timeout_ms", ms(self.timeout), 10, 600_000),
            ("queue_traces", self.queue_traces, 1, 1_000_000),
            ("queue_bytes", self.queue_bytes, 64 << 10, usize::MAX),
            ("first_delay_ms", ms(self.first_delay), 1, 30_000),
            ("give_up_after_ms", ms(self.give_up_after), 0, 3_600_000),
        ] {
            Error::check_range(field, value, least, most)?;
        }
        Ok(())
    }
}
