//! The wall clock.

use std::time::SystemTime;

/// The clock of the machine.
///
/// ```
/// use obs_doctor::machine::{Clock, System};
/// assert!(System::default().clock.now() > std::time::SystemTime::UNIX_EPOCH);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> SystemTime;
}

pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
