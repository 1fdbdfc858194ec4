//! Capabilities that this node and its peers offer.

use crate::seams;

/// Declares capabilities that can be called here: those of this node, or of a peer that its owner has configured.
///
/// From now on each of them has a value of the `capability` label and a place among the kept errors and slowest traces,
/// however many other names callers make up. The first call also ends the admission of other names: their calls are
/// counted together under [`metrics::OVERFLOW`](obs_metrics::OVERFLOW), `__overflow__`, and their traces, which keep the
/// name, share one place.
///
/// Later calls add names. The names do not count towards the cap on series, so the program has to bound their number for
/// each peer. Never pass a name that a caller sent. Without any call the first names that are seen get the places.
///
/// ```
/// obs_facade::offer(&["llm.chat", "rag.query"]);
/// ```
pub fn offer(capabilities: &[&str]) {
    obs_metrics::standard::trust_capabilities(capabilities);
    obs_metrics::standard::trusted_capabilities_only();
    seams::offer_to_blocked_polls(capabilities);
    #[cfg(feature = "history")]
    seams::problems::offer(capabilities);
    obs_trace::reserve(capabilities);
}
