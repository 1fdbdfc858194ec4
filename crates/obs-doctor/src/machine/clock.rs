//! The wall clock.

use std::time::SystemTime;

/// Clock of the machine.
///
/// ```
/// use obs_doctor::machine::{Clock, Machine};
/// assert!(Machine::default().clock.now() > std::time::SystemTime::UNIX_EPOCH);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> SystemTime;
}

pub(super) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
