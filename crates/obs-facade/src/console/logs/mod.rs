//! Lines of the log: search of the day files, lines around an instant, download, and tail.

mod around;
mod download;
mod filter;
mod line;
mod of_trace;
mod search;
mod tail;
mod unreadable;

use std::path::Path;

use obs_console::api::{LogLines, LogQuery};
use obs_console::{Download, Failure, Tail};

use self::filter::Filter;
pub(super) use self::of_trace::of_trace;

/// Searches the log, or returns the lines around an instant.
pub(super) fn search(dir: &Path, query: &LogQuery) -> Result<LogLines, Failure> {
    match &query.around {
        Some(instant) => around::around(dir, instant, query.n),
        None => search::search(dir, query, &Filter::of(query)?),
    }
}

/// Begins a download of all lines that match.
pub(super) fn download(dir: &Path, query: &LogQuery) -> Result<Box<dyn Download>, Failure> {
    download::begin(dir, Filter::of(query)?)
}

/// Begins a tail.
pub(super) fn tail(dir: &Path, query: &LogQuery) -> Result<Box<dyn Tail>, Failure> {
    Ok(Box::new(tail::LogTail::begin(dir, Filter::of(query)?, query.n)?))
}
