//! Counter of the shares that were asked for.

use std::sync::LazyLock;

use obs_facade::metrics::{self, CounterFamily};

/// Counts a request for a share by its result. The results are words of this node, and none names a peer.
pub(super) fn count(result: &'static str) {
    // A look-up by name takes the lock of the registry.
    static SHARES: LazyLock<CounterFamily<1>> = LazyLock::new(|| {
        let help = "Requests to peers for their share of the community's metrics, by result.";
        metrics::counter("hearthnet_community_shares_total", help, ["result"])
    });
    SHARES.with([result]).inc();
}
