//! The event of both tracing contenders.

use tracing::{debug, info};

use super::Event;

#[inline]
pub(super) fn log(event: &Event) {
    info!(capability = event.capability, to = event.to, ms = event.ms, ok = event.ok, "routed");
}

/// Always in the loop that measures it, because a call would take longer than the check of the level.
#[inline(always)]
pub(super) fn log_disabled(event: &Event) {
    debug!(capability = event.capability, to = event.to, ms = event.ms, ok = event.ok, "routed");
}
