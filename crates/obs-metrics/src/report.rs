//! Problems that no caller gets as an error. Each is logged once, through the `log` crate.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Maximum number of different reports. Texts contain names that peers can influence, so the memory for them is bounded;
/// further reports are not logged.
const MAX_REPORTS: usize = 1024;

/// Texts that were logged.
static REPORTED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Logs an error the first time it occurs.
pub(crate) fn error(error: &Error) {
    once(&error.to_string());
}

/// Logs a text the first time it occurs.
pub(crate) fn once(text: &str) {
    let is_new = {
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        let reported = reported.get_or_insert_with(HashSet::new);
        reported.len() < MAX_REPORTS && reported.insert(text.to_owned())
    };
    // The lock is released here: a logger may record metrics and report problems of its own.
    if is_new {
        log::error!(target: "hearthnet.metrics", "{text}");
    }
}
