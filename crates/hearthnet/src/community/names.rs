//! Names of the requests for shares.

/// Path of the route, below the address of a node. It is also signed in the place of a capability, as the one of marks is.
pub(super) const SHARE: &str = "/metrics/community/share";
/// Path of the figures.
pub(super) const FIGURES: &str = "/metrics/community";
