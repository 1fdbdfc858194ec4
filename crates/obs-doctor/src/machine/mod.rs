//! The machine as a check sees it: clock, files, HTTP, sockets, disks.
//!
//! A check reads the machine through [`Context::machine`](crate::Context::machine) and not through `std`. Then its tests
//! can replace a part: a disk without space, a server that never answers, a clock that is wrong. Checks of other crates
//! get the same parts, with the limits that the doctor's own checks have (requests bounded in time and size, files opened
//! without blocking, sockets that take no port away):
//!
//! ```
//! use obs_doctor::machine::{Http, HttpError, HttpRequest, HttpResponse, Machine};
//! use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Context, Doctor, NoBus};
//! use std::sync::Arc;
//!
//! fn weather(cx: &Context) -> CheckResult {
//!     match cx.machine.http.send(&HttpRequest::get("http://station.lan/now")) {
//!         Ok(response) if response.status == 200 => CheckResult::pass("the station answers"),
//!         Ok(response) => CheckResult::fail(format!("HTTP {}", response.status)).fix("restart the station"),
//!         Err(error) => CheckResult::fail(error.to_string()).fix("plug the station in"),
//!     }
//! }
//!
//! // The test of that check, without a station:
//! struct Unplugged;
//! impl Http for Unplugged {
//!     fn send(&self, _: &HttpRequest) -> Result<HttpResponse, HttpError> {
//!         Err(HttpError::NoRoute)
//!     }
//! }
//! let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
//! let mut doctor = Doctor::empty().machine(Machine::default().http(Unplugged));
//! doctor.register(Check::new("weather").run_blocking(weather))?;
//! let result = doctor.run_one_blocking("weather", &Config::new("/nosuch"), &bus)?;
//! assert_eq!(result.fix.as_deref(), Some("plug the station in"));
//! # Ok::<(), obs_doctor::Error>(())
//! ```
//!
//! SQLite is not part of it: the library opens its files itself. Never open a database of this process in a check, not
//! even to read a byte: `close` drops all POSIX record locks that the process holds on the file.

mod access;
mod clock;
mod files;
mod filter;
mod http;
mod owner;
mod sockets;
mod volumes;

use std::fmt;
use std::sync::Arc;

pub(crate) use access::may_write;
pub use clock::Clock;
pub use files::Files;
pub(crate) use files::RealFiles;
pub(crate) use filter::is_filtered;
pub(crate) use http::is_local_host;
pub use http::{Http, HttpError, HttpRequest, HttpResponse};
pub use owner::{Owner, Protocol};
pub use sockets::{EchoError, Interface, Sockets};
pub use volumes::{Volume, Volumes};

/// Clock, files, HTTP, sockets and disks of the machine. Each part can be replaced.
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
/// use obs_doctor::Doctor;
/// use obs_doctor::machine::{Clock, Machine};
///
/// struct Stopped;
/// impl Clock for Stopped {
///     fn now(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_secs(1)
///     }
/// }
/// let doctor = Doctor::standard().machine(Machine::default().clock(Stopped));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Machine {
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Files and folders, for reading.
    pub files: Arc<dyn Files>,
    /// Outgoing HTTP requests.
    pub http: Arc<dyn Http>,
    /// Sockets and their owners.
    pub sockets: Arc<dyn Sockets>,
    /// Disks.
    pub volumes: Arc<dyn Volumes>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            clock: Arc::new(clock::WallClock),
            files: Arc::new(RealFiles),
            http: Arc::new(http::UreqClient),
            sockets: Arc::new(sockets::RealSockets),
            volumes: Arc::new(volumes::RealVolumes),
        }
    }
}

impl Machine {
    /// Replaces the clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Replaces the files.
    #[must_use]
    pub fn files(mut self, files: impl Files) -> Self {
        self.files = Arc::new(files);
        self
    }

    /// Replaces HTTP.
    #[must_use]
    pub fn http(mut self, http: impl Http) -> Self {
        self.http = Arc::new(http);
        self
    }

    /// Replaces the sockets.
    #[must_use]
    pub fn sockets(mut self, sockets: impl Sockets) -> Self {
        self.sockets = Arc::new(sockets);
        self
    }

    /// Replaces the disks.
    #[must_use]
    pub fn volumes(mut self, volumes: impl Volumes) -> Self {
        self.volumes = Arc::new(volumes);
        self
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}
