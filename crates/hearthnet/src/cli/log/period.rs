//! Options that select lines by time.

use chrono::{DateTime, Utc};
use clap::Args;

use super::time::{self, Edge, TimeSpec, Zone};
use crate::failure::Failure;
use obs_facade::log::reader::LineTime;
use obs_facade::log::reader::Window;

/// Options of commands that select by time.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct PeriodArgs {
    /// Only what is of this time and later.
    #[arg(long, short = 'S', value_name = "TIME", allow_hyphen_values = true)]
    pub(super) since: Option<TimeSpec>,
    /// Only what is of this time and earlier.
    #[arg(long, short = 'U', value_name = "TIME", allow_hyphen_values = true)]
    until: Option<TimeSpec>,
}

/// First and last time, each if there is one.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Period {
    pub(in crate::cli) since: Option<DateTime<Utc>>,
    pub(in crate::cli) until: Option<DateTime<Utc>>,
}

impl PeriodArgs {
    /// Returns the times, where `now` is the current one.
    ///
    /// # Errors
    ///
    /// The first time is later than the last one.
    pub(in crate::cli) fn resolve(&self, now: DateTime<Utc>, zone: Zone) -> Result<Period, Failure> {
        let since = self.since.as_ref().map(|since| since.resolve(now, zone, Edge::Earliest));
        let until = self.until.as_ref().map(|until| until.resolve(now, zone, Edge::Latest));
        if let (Some(since), Some(until)) = (since, until) {
            require_order(since, until, zone)?;
        }
        Ok(Period { since, until })
    }
}

/// Checks the two options against each other.
///
/// # Errors
///
/// The first time is later than the last one.
pub(in crate::cli) fn require_order(
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Zone,
) -> Result<(), Failure> {
    if since <= until {
        return Ok(());
    }
    let [since, until] = [since, until].map(|time| time::shown(LineTime::at(time), zone));
    Err(Failure::usage(format!(
        "--since ({since}) is later than --until ({until}); exchange them, or choose an earlier --since"
    )))
}

impl Period {
    pub(in crate::cli) fn window(&self) -> Window {
        Window::new(self.since, self.until)
    }

    /// Returns whether every time is in the period.
    pub(in crate::cli) fn is_all(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Returns whether the time is in the period. `log` compares milliseconds too.
    pub(in crate::cli) fn has(&self, time: DateTime<Utc>) -> bool {
        self.window().place_of(LineTime::at(time)).is_none()
    }

    /// Describes the period as ` since … until …`.
    pub(in crate::cli) fn described(&self, zone: Zone) -> String {
        let shown = |name, time: Option<DateTime<Utc>>| {
            time.map(|time| format!(" {name} {}", time::shown(LineTime::at(time), zone))).unwrap_or_default()
        };
        shown("since", self.since) + &shown("until", self.until)
    }
}
