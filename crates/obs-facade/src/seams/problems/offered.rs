//! Capabilities that are named in problems.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// Names that the program vouches for. `None` before the first call of [`offer`](crate::offer). A failed trace takes the lock
/// for reading, so that it waits for no other one.
static OFFERED: RwLock<Option<HashSet<Box<str>>>> = RwLock::new(None);

/// Maximum number of names.
const MAX_NAMES: usize = 4_096;

/// Place of the failures of all names that callers made up.
const OTHERS: &str = "(other capabilities)";

/// Gives these capabilities problems of their own. All others then share one place.
pub(crate) fn offer(capabilities: &[&str]) {
    let mut offered = OFFERED.write().unwrap_or_else(PoisonError::into_inner);
    let offered = offered.get_or_insert_default();
    let room = MAX_NAMES.saturating_sub(offered.len());
    offered.extend(capabilities.iter().take(room).map(|name| Box::from(*name)));
}

/// Returns the place of a capability's failures.
pub(super) fn place(capability: &str) -> &str {
    let offered = OFFERED.read().unwrap_or_else(PoisonError::into_inner);
    match &*offered {
        Some(names) if !names.contains(capability) => OTHERS,
        _ => capability,
    }
}
