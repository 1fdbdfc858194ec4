//! What the checks touch of the machine, behind traits that tests replace.
//!
//! SQLite is not here: it opens its files itself, and its faults can be made with real ones.

mod clock;
mod files;
mod filter;
mod http;
mod owner;
mod sockets;
mod volumes;

use std::fmt;
use std::sync::Arc;

pub use clock::Clock;
pub use files::Files;
pub(crate) use files::RealFiles;
pub(crate) use filter::is_filtered;
pub(crate) use http::is_local_host;
pub use http::{Http, HttpError, HttpRequest, HttpResponse};
pub use owner::Owner;
pub use sockets::{EchoError, Interface, Protocol, Sockets};
pub use volumes::{Volume, Volumes};

/// The machine as the checks see it: clock, files, HTTP, sockets, disks.
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
/// use obs_doctor::Doctor;
/// use obs_doctor::machine::{Clock, System};
///
/// struct Stopped;
/// impl Clock for Stopped {
///     fn now(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_secs(1)
///     }
/// }
/// let doctor = Doctor::standard().system(System::default().clock(Stopped));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct System {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Files and folders, to read.
    pub files: Arc<dyn Files>,
    /// Outgoing HTTP requests.
    pub http: Arc<dyn Http>,
    /// Sockets and who owns them.
    pub sockets: Arc<dyn Sockets>,
    /// Disks.
    pub volumes: Arc<dyn Volumes>,
}

impl Default for System {
    fn default() -> Self {
        Self {
            clock: Arc::new(clock::SystemClock),
            files: Arc::new(RealFiles),
            http: Arc::new(http::PlainHttp),
            sockets: Arc::new(sockets::RealSockets),
            volumes: Arc::new(volumes::RealVolumes),
        }
    }
}

impl System {
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

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}
