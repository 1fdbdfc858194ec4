//! Settings of the export.

pub(super) mod endpoint;
mod headers;

use std::sync::LazyLock;
use std::time::Duration;

use self::headers::Headers;
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

/// Compression of a request's body.
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
    /// Compression with gzip (`content-encoding: gzip`).
    #[default]
    Gzip,
    /// No compression.
    Off,
}

/// Default `service.instance.id`: a random one for each process.
static INSTANCE: LazyLock<TraceId> = LazyLock::new(TraceId::generate);

impl Config {
    /// Exports to the collector at `endpoint`, such as `http://127.0.0.1:4318`.
    ///
    /// Requests go to its path `/v1/traces`, unless the endpoint ends in that already. No proxy is used. `https` needs the
    /// feature `tls`. The resource is named `unknown_service` with a random `service.instance.id` until
    /// [`resource`](Config::resource) changes it.
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
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Config {
        self.headers.set(name.into(), value.into());
        self
    }

    /// Sets an attribute of the resource of all traces, such as `service.name`.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Config {
        let (key, value) = (key.into(), value.into());
        match self.resource.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => self.resource.push((key, value)),
        }
        self
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
    pub fn compression(mut self, compression: Compression) -> Config {
        self.compression = compression;
        self
    }

    /// Sets the number of waiting spans that causes a request before its interval is over. 512 by default, 1 to 10 000.
    ///
    /// It is also the maximum number of spans in a request, unless [`request_spans`](Config::request_spans) sets more. A
    /// trace is never split.
    pub fn batch_spans(mut self, spans: usize) -> Config {
        self.batch_spans = spans;
        self.request_spans = spans;
        self
    }

    /// Sets the maximum number of spans in a request when more than a batch waits. 8 192 by default, 1 to 100 000. Less
    /// than a batch has no effect.
    ///
    /// Fewer and larger requests empty a long queue sooner.
    pub fn request_spans(mut self, spans: usize) -> Config {
        self.request_spans = spans;
        self
    }

    /// Sets the longest time that a trace waits for others while the collector keeps up. 5 s by default, 10 ms to an hour.
    pub fn interval(mut self, interval: Duration) -> Config {
        self.interval = interval;
        self
    }

    /// Sets the timeout of a request, from the DNS lookup to the last byte of the response. 10 s by default, 10 ms to
    /// 10 min.
    pub fn timeout(mut self, timeout: Duration) -> Config {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum number of traces that wait. Further ones are counted and not exported. 16 384 by default, 1 to
    /// 1 000 000.
    pub fn queue_traces(mut self, traces: usize) -> Config {
        self.queue_traces = traces;
        self
    }

    /// Sets the bytes of memory that waiting traces may take. Most of them are in the ring as well. 16 MiB by default, at
    /// least 64 KiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// Sets the delay before the first retry of a request. 1 s by default, 1 ms to 30 s.
    ///
    /// The delay doubles with each retry up to 30 s. Up to half of it is left off at random.
    pub fn first_delay(mut self, delay: Duration) -> Config {
        self.first_delay = delay;
        self
    }

    /// Sets the time after which retries end and the traces of the request are counted as failed. 5 min by default, at most
    /// an hour.
    pub fn give_up_after(mut self, time: Duration) -> Config {
        self.give_up_after = time;
        self
    }

    /// Checks the settings without exporting anything.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, or a number is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        endpoint::parse(&self.endpoint)?;
        self.headers.parse()?;
        for (field, value, least, most) in [
            ("batch_spans", self.batch_spans, 1, 10_000),
            ("request_spans", self.request_spans, 1, 100_000),
            ("queue_traces", self.queue_traces, 1, 1_000_000),
            ("queue_bytes", self.queue_bytes, 64 << 10, usize::MAX),
        ] {
            Error::check_range(field, value, least, most, "")?;
        }
        let ms = |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        for (field, value, least, most) in [
            ("interval", self.interval, 10, 3_600_000),
            ("timeout", self.timeout, 10, 600_000),
            ("first_delay", self.first_delay, 1, 30_000),
            ("give_up_after", self.give_up_after, 0, 3_600_000),
        ] {
            Error::check_range(field, ms(value), least, most, " ms")?;
        }
        Ok(())
    }
}
