//! Levels in force, and the end of a change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use obs_facade::{Logger, info, log};
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::change::Change;
use super::period;

static LOG: Logger = Logger::new("hearthnet::levels");
/// Level for [`LOG`] while a change is logged.
const AUDIBLE: &str = "hearthnet.levels=info";

/// Change in force. There is one at a time: a new one replaces it.
#[derive(Default)]
pub(super) struct LiveLevels(Mutex<Option<InForce>>);

struct InForce {
    levels: String,
    by: String,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    ends: Instant,
    // Aborted by the next change. Otherwise each change would leave a task behind for up to a day.
    end: AbortHandle,
}

impl LiveLevels {
    /// Applies `change` at once, in the place of the one in force, and ends it after its time.
    pub(super) fn change(self: &Arc<Self>, change: &Change, by: &str) {
        let mut in_force = self.lock();
        if let Some(replaced) = in_force.take() {
            replaced.end.abort();
        }
        let (since, ends) = (Utc::now(), Instant::now() + change.period);
        let until = since + change.period;
        let levels = self.clone();
        let end = tokio::spawn(async move {
            tokio::time::sleep_until(ends).await;
            levels.expire(ends);
        });
        apply(Some(&change.levels), || {
            let time = period::render(change.period);
            info!(
                logger: LOG, levels = change.levels, by = by, for_time = time, until = seconds(until);
                "log levels changed"
            );
        });
        *in_force = Some(InForce {
            levels: change.levels.clone(),
            by: by.to_owned(),
            since,
            until,
            ends,
            end: end.abort_handle(),
        });
    }

    /// Returns to the configured levels.
    pub(super) fn reset(&self, by: &str) {
        let mut in_force = self.lock();
        if let Some(ended) = in_force.take() {
            ended.end.abort();
            apply(None, || info!(logger: LOG, levels = ended.levels, by = by; "log levels reset"));
        }
    }

    /// Ends the change that ends at `ends`. A change that has replaced it meanwhile stays.
    fn expire(&self, ends: Instant) {
        let mut in_force = self.lock();
        if let Some(ended) = in_force.take_if(|change| change.ends == ends) {
            apply(None, || info!(logger: LOG, levels = ended.levels, by = ended.by; "log levels expired"));
        }
    }

    /// Returns the levels for `GET /log/level`.
    pub(super) fn report(&self) -> Value {
        let in_force = self.lock();
        let change = in_force.as_ref().map(|change| {
            let left = change.ends.saturating_duration_since(Instant::now());
            json!({
                "levels": change.levels, "by": change.by,
                "since": seconds(change.since), "until": seconds(change.until),
                // Rounded up, so that a change in force never has 0 s left.
                "seconds_left": (left + Duration::from_millis(999)).as_secs(),
            })
        });
        json!({
            "configured": log::configured_levels(), "in_force": log::levels_in_force(), "change": change,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<InForce>> {
        // The state is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the configured levels by `levels`, or by none. `note` logs the change, whatever the levels before and after are.
fn apply(levels: Option<&str>, note: impl FnOnce()) {
    let audible = levels.map_or_else(|| AUDIBLE.to_owned(), |levels| format!("{levels},{AUDIBLE}"));
    // `Change` has checked the levels.
    let _ = log::override_levels(Some(&audible));
    note();
    let _ = log::override_levels(levels);
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
