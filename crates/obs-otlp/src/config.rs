//! Settings of an export.

use std::sync::LazyLock;
use std::time::Duration;

use crate::endpoint;
use crate::error::Error;
use crate::headers::Headers;
use crate::signal::Signal;

/// Settings of the export of a signal. Only the endpoint has to be set.
///
/// ```
/// use obs_otlp::{Config, Signal};
///
/// let config = Config::new(Signal::Metrics, "http://127.0.0.1:4318").resource("service.name", "my-program");
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a configuration has no effect until it is passed to `start`"]
pub struct Config {
    pub(crate) signal: Signal,
    pub(crate) endpoint: String,
    pub(crate) headers: Headers,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) compression: Compression,
    pub(crate) batch_items: usize,
    pub(crate) request_items: usize,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) queue_items: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) first_delay: Duration,
    pub(crate) give_up_after: Option<Duration>,
}

/// Compression of a request's body.
///
/// ```
/// use obs_otlp::{Compression, Config, Signal};
///
/// let config = Config::new(Signal::Traces, "http://127.0.0.1:4318").compression(Compression::Off);
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

/// Default `service.instance.id`: a random one for each process, in all of its signals.
static INSTANCE: LazyLock<String> = LazyLock::new(|| format!("{:032x}", fastrand::u128(..)));

impl Config {
    /// Exports `signal` to the collector at `endpoint`, such as `http://127.0.0.1:4318`.
    ///
    /// Requests go to the signal's path below it, unless the endpoint ends in that already. `https` needs the feature `tls`. The
    /// resource is named `unknown_service` with a random `service.instance.id` until [`resource`](Config::resource) changes it.
    pub fn new(signal: Signal, endpoint: impl Into<String>) -> Config {
        let resource = [
            ("service.name", "unknown_service"),
            ("service.instance.id", INSTANCE.as_str()),
            ("telemetry.sdk.name", env!("CARGO_PKG_NAME")),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ];
        Config {
            signal,
            endpoint: endpoint.into(),
            headers: Headers::default(),
            resource: resource.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            compression: Compression::Gzip,
            batch_items: 512,
            request_items: 8_192,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            queue_items: 16_384,
            queue_bytes: 16 << 20,
            first_delay: Duration::from_secs(1),
            give_up_after: Some(Duration::from_secs(300)),
        }
    }

    /// Returns the endpoint as it was set.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sets a header of each request, such as the key that a collector asks for. It is never logged, nor shown by `Debug`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Config {
        self.headers.set(name.into(), value.into());
        self
    }

    /// Sets an attribute of the resource.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Config {
        let (key, value) = (key.into(), value.into());
        match self.resource.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => self.resource.push((key, value)),
        }
        self
    }

    /// Sets the compression of a request's body. [`Compression::Gzip`] by default. A collector that answers 415 gets
    /// uncompressed bodies from then on.
    pub fn compression(mut self, compression: Compression) -> Config {
        self.compression = compression;
        self
    }

    /// Sets the number of waiting units that causes a request before its interval is over. 512 by default, 1 to 10 000. It is
    /// also the maximum of a request, unless [`request_items`](Config::request_items) sets more.
    pub fn batch_items(mut self, items: usize) -> Config {
        self.batch_items = items;
        self.request_items = items;
        self
    }

    /// Sets the maximum number of units in a request when more than a batch waits. 8 192 by default, 1 to 100 000. Less than a
    /// batch has no effect. An item is never split.
    pub fn request_items(mut self, items: usize) -> Config {
        self.request_items = items;
        self
    }

    /// Sets the longest time that an item waits for others while the collector keeps up. 5 s by default, 10 ms to an hour.
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

    /// Sets the maximum number of items that wait. 16 384 by default, 1 to 1 000 000.
    pub fn queue_items(mut self, items: usize) -> Config {
        self.queue_items = items;
        self
    }

    /// Sets the bytes of memory that waiting items may take. 16 MiB by default, at least 64 KiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// Sets the delay before the first retry of a request. 1 s by default, 1 ms to 30 s. It doubles with each retry up to 30 s.
    pub fn first_delay(mut self, delay: Duration) -> Config {
        self.first_delay = delay;
        self
    }

    /// Sets the time after which retries end and the items of the request are counted as failed. 5 min by default, at most an
    /// hour. `None` is never, for items that a disk keeps.
    pub fn give_up_after(mut self, time: impl Into<Option<Duration>>) -> Config {
        self.give_up_after = time.into();
        self
    }

    /// Checks the settings without exporting anything.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, or a number is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        endpoint::parse(&self.endpoint, self.signal)?;
        self.headers.parse()?;
        for (field, value, least, most) in [
            ("batch_items", self.batch_items, 1, 10_000),
            ("request_items", self.request_items, 1, 100_000),
            ("queue_items", self.queue_items, 1, 1_000_000),
            ("queue_bytes", self.queue_bytes, 64 << 10, usize::MAX),
        ] {
            Error::check_range(field, value, least, most, "")?;
        }
        let ms = |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        for (field, value, least, most) in [
            ("interval", self.interval, 10, 3_600_000),
            ("timeout", self.timeout, 10, 600_000),
            ("first_delay", self.first_delay, 1, 30_000),
            ("give_up_after", self.give_up_after.unwrap_or_default(), 0, 3_600_000),
        ] {
            Error::check_range(field, ms(value), least, most, " ms")?;
        }
        Ok(())
    }
}
