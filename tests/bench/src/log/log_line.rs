//! The event for contenders behind the `log` crate.

use log::{debug, info};

use super::Event;

#[inline]
pub(super) fn log(event: &Event) {
    info!(capability = event.capability, to = event.to, ms = event.ms, ok = event.ok; "routed");
}

#[inline]
pub(super) fn log_disabled(event: &Event) {
    debug!(capability = event.capability, to = event.to, ms = event.ms, ok = event.ok; "routed");
}
