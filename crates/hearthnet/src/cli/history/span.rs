//! Span of time that is shown.

use chrono::{DateTime, Utc};

use crate::cli::log::time::Zone;

/// Span of time that is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) since: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
    pub(super) zone: Zone,
}
