//! Problems of this process.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use obs_history::problems::Problems;

use super::waking;

pub(super) static PROBLEMS: LazyLock<Problems> =
    LazyLock::new(|| Problems::new().redaction(obs_doctor::redact).on_change(waking::wake));

/// Returns the problems of this process, which [`configure`](crate::configure) begins to collect. Where a history is kept
/// they have those of earlier runs too.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let _guard = obs_facade::configure(&obs_facade::ObservabilityConfig::new(folder.path()))?;
/// obs_facade::warn!("no peer answers");
/// let problems = obs_facade::problems().list();
/// assert_eq!((problems[0].cause.what(), problems[0].count), ("no peer answers", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn problems() -> &'static Problems {
    &PROBLEMS
}

/// Returns the time in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
