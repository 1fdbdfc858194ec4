//! History of the metrics: one set of rows a minute.

mod begun;
mod config;
mod file;
mod history;
mod minute;
mod pending;
mod sampling;
mod stats;
#[cfg(test)]
mod tests;
mod worker;

pub use self::config::Config;
pub use self::file::reader::Reader;
pub use self::file::rows::{Cause, Range, Row, Run, Series, Value};
pub use self::file::steps::{Line, Point, Steps};
pub use self::history::History;
pub use self::stats::Stats;
