//! Polls that hold their worker: how long a poll took, for a nanosecond a poll.
//!
//! `pace.rs` marks the beginning of a poll and measures at its end. `ticker.rs` tells it cheaply that time has passed.
//! `lost.rs` and `worker.rs` are asked about the few polls that took long. `run_delay.rs` tells how long a thread waited for a
//! processor. `notice.rs` tells the program. `context/poll.rs` joins them with the trace and the span.

#[cfg(feature = "rt")]
mod lost;
mod notice;
#[cfg(feature = "rt")]
mod pace;
#[cfg(feature = "rt")]
mod run_delay;
#[cfg(feature = "rt")]
mod ticker;
#[cfg(feature = "rt")]
mod worker;

#[cfg(feature = "rt")]
pub(crate) use self::notice::tell;
pub use self::notice::{BlockedPoll, set_blocked_observer};
#[cfg(feature = "rt")]
pub(crate) use self::pace::{Mark, begin, begin_by_the_clock, note_reported};
#[cfg(feature = "rt")]
pub(crate) use self::worker::is_worker;
