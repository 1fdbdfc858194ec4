//! The trace for all contenders behind tracing.

use tracing::info_span;

/// Makes a root and its children.
pub(super) fn trace(spans: usize) {
    let _root = info_span!("root").entered();
    steps(spans);
}

/// Makes children of a root that the contender has made itself.
pub(super) fn steps(spans: usize) {
    for _ in 0..spans {
        let _span = info_span!("step").entered();
    }
}
