//! Problems that nobody can return as an error: logged once each, through the `log` crate.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Different reports that are remembered; once they are used up, further ones are not logged.
const MOST: usize = 1024;

static REPORTED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

pub(crate) fn error(error: &Error) {
    once(&error.to_string());
}

/// Logs a text the first time it comes. No lock is held while the logger runs.
pub(crate) fn once(text: &str) {
    let is_new = {
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        let reported = reported.get_or_insert_with(HashSet::new);
        reported.len() < MOST && reported.insert(text.to_owned())
    };
    if is_new {
        log::error!(target: "hearthnet.metrics", "{text}");
    }
}
