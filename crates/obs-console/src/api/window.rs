//! Window of time of a query.

use serde::{Deserialize, Serialize};

/// Window of time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Window {
    /// First second.
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// Second after the last one.
    #[cfg_attr(test, ts(type = "number"))]
    pub until: u64,
}
