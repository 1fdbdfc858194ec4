//! The names that calls may be for: what this node and its peers offer.

/// Says that these capabilities can be called here: what this node offers, or a peer that its owner has configured.
///
/// Each has its place from now on, in the `capability` label of the standard families and among the errors and slowest
/// traces that are kept, however many other names callers make up. The first such call also ends that other names get
/// places of their own: calls for them are counted together under
/// [`metrics::OVERFLOW`](obs_metrics::OVERFLOW), `__overflow__`, and their traces, which keep the name, are kept together.
///
/// It may be called again with more names. They do not count towards the cap on series, so whoever calls it bounds their
/// number, for each peer by itself; a name that a caller sends never belongs here. A program that never calls this has the
/// places given to the first names that are seen.
///
/// ```
/// obs_facade::offer(&["llm.chat", "rag.query"]);
/// ```
pub fn offer(capabilities: &[&str]) {
    obs_metrics::standard::trust_capabilities(capabilities);
    obs_metrics::standard::trusted_capabilities_only();
    obs_trace::reserve(capabilities);
}
