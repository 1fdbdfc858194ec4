//! Reading of the registry: the minute that a reading belongs to, and what came since the reading before.

pub(super) mod clock;
pub(super) mod counts;
pub(super) mod gauges;
