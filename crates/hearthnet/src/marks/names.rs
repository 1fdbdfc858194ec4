//! Name of the requests with marks.

/// Path of the route, below the address of a node.
///
/// It is also signed in the place of a capability, and the rate limit counts the requests by it. A capability of a peer has no
/// slash, so a node that forwards calls signs no request with marks for its caller.
pub(super) const PATH: &str = "/trace/keep";
