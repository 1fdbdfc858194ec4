//! Events: lines of the log.
//!
//! A line is made from the event itself. obs-log writes each value while `tracing` shows it, so no value is copied.

mod echo;
mod fields;
mod log_event;
mod message;

use tracing_core::Event;

pub(crate) use self::echo::recognise_echoes;
use self::fields::EventLine;
use crate::levels::level_of;

/// Writes an event as a line, if the levels of the log let it through.
pub(crate) fn observe(event: &Event<'_>) {
    if log_event::is_log_event(event.metadata()) {
        return log_event::observe(event);
    }
    let metadata = event.metadata();
    obs_log::bridge::event(metadata.target(), level_of(metadata), &EventLine(event));
}
