//! Marks that other nodes send.

use obs_trace::{Marked, Marker, Store, TraceId};

use super::counts;

/// Maximum number of IDs in a request with marks.
pub const MAX_IDS: usize = 256;

/// Keeps the traces with these IDs, because `marker` says that a part of them failed. Returns the IDs that it did not keep: it
/// has no such trace, or `marker` did not ask for it.
///
/// Call it with a name that is proven, on a thread that may be busy for some hundred microseconds. IDs beyond [`MAX_IDS`] are
/// not kept.
///
/// ```
/// use obs_facade::http::keep;
/// use obs_facade::trace::{Marker, TraceId};
///
/// let id = TraceId::generate();
/// assert_eq!(keep::receive(Marker::peer("ed25519:ada"), &[id]), [id]);
/// ```
pub fn receive(marker: Marker<'_>, ids: &[TraceId]) -> Vec<TraceId> {
    let (taken, beyond) = ids.split_at(ids.len().min(MAX_IDS));
    let results = Store::current().mark(marker, taken);
    let mut left = Vec::new();
    for (id, result) in taken.iter().zip(results) {
        let result = match result {
            Marked::Kept => "kept",
            Marked::Known => "known",
            Marked::Foreign => "foreign",
            Marked::Unknown => "unknown",
        };
        counts::marks().inc(["received", result]);
        if matches!(result, "foreign" | "unknown") {
            left.push(*id);
        }
    }
    left.extend(beyond);
    left
}
