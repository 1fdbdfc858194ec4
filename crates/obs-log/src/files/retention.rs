//! Age of day files, and the point from which it is believed.
//!
//! A clock can be wrong for a while: a computer without a battery for it starts in 1970, one with a dying battery in any
//! year. So a file is not removed just because the clock says that it is old. Either the clock has passed the file's age
//! while this process was running, or this process has run for a day since the clock last jumped. Until then the newest days
//! are kept, whatever their dates are. A process that never runs for a day therefore does not fill the disk either.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::config::LOG_RETENTION_DAYS;

/// Time without a jump after which the clock is believed.
const TRIAL: Duration = Duration::from_secs(86_400);
/// Number of days that are kept.
const KEPT: i32 = LOG_RETENTION_DAYS as i32;
/// Maximum number of days of own files that are remembered. There are more only if the clock jumps all the time.
const MAX_OWN: usize = 64;

/// Record of the clock, by which the age of files is judged.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    clock: Option<Watched>,
    /// Days whose file this process has opened since the clock last became doubtful.
    own: BTreeSet<i32>,
}

/// Clock since its last jump.
#[derive(Debug)]
struct Watched {
    /// Earliest day since the start or the clock's last jump.
    from: i32,
    /// Day at the last look.
    day: i32,
    since: Instant,
    believed: bool,
}

impl Watched {
    fn begin(day: i32, now: Instant) -> Watched {
        Watched { from: day, day, since: now, believed: false }
    }
}

impl Retention {
    /// Notes that the clock reads `day`. `now` is a clock that cannot be set. Returns whether more files than before may be
    /// too old.
    pub(crate) fn look(&mut self, day: i32, now: Instant) -> bool {
        let Some(clock) = &mut self.clock else {
            self.clock = Some(Watched::begin(day, now));
            return true;
        };
        let before = (clock.day, clock.believed);
        // The writer looks at least every 30 s, so a clock that just runs is at most one midnight ahead of the last look.
        if day.abs_diff(clock.day) > 1 {
            *clock = Watched::begin(day, now);
        }
        clock.from = clock.from.min(day);
        clock.day = day;
        if !clock.believed && now.saturating_duration_since(clock.since) >= TRIAL {
            clock.believed = true;
            self.own.clear();
        }
        before != (clock.day, clock.believed)
    }

    /// Notes that a file of `day` was opened. A file that is being written is not old, whatever the clock says next.
    pub(crate) fn note_open(&mut self, day: i32) {
        if self.own.insert(day) && self.own.len() > MAX_OWN {
            self.own.pop_first();
        }
    }

    /// Returns those of `days`, which have files, that are to be removed.
    pub(crate) fn too_old(&self, days: &BTreeSet<i32>) -> BTreeSet<i32> {
        let Some(clock) = &self.clock else { return BTreeSet::new() };
        let oldest_kept = oldest_kept(days, clock.from);
        let is_old = |day: i32| day <= clock.day - KEPT;
        let was_passed = |day: i32| clock.believed || day > clock.from - KEPT;
        let is_spare = |day: i32| day < oldest_kept && !self.own.contains(&day);
        days.iter().copied().filter(|day| is_old(*day) && (was_passed(*day) || is_spare(*day))).collect()
    }
}

/// Oldest of the days up to `from` that are kept while the clock is doubtful. `from` itself is one of them only if another
/// file shows that the clock was near it before. Otherwise `from` may be a day that never was, and its file must not displace
/// another.
fn oldest_kept(days: &BTreeSet<i32>, from: i32) -> i32 {
    let was_near = days.range(from - KEPT + 1..from).next().is_some();
    let kept = days.range(..=if was_near { from } else { from - 1 }).rev().take(KEPT as usize);
    kept.last().copied().unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i32 = 20_599;
    const HOUR: Duration = Duration::from_secs(3600);

    fn days(days: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        days.into_iter().collect()
    }

    /// Looks at the clock once and removes old files, as the writer does.
    fn turn(retention: &mut Retention, day: i32, now: Instant, files: &mut BTreeSet<i32>) {
        retention.note_open(day);
        files.insert(day);
        if retention.look(day, now) {
            let old = retention.too_old(files);
            files.retain(|day| !old.contains(day));
        }
    }

    #[test]
    fn a_start_with_a_wrong_clock_keeps_the_newest_14() {
        let start = Instant::now();
        for jump in [60, 400, 20_000] {
            let mut files = days(TODAY - 13..=TODAY);
            // Wrong once, wrong in a loop of restarts, and right again.
            for day in [TODAY + jump, TODAY + jump, TODAY + jump, TODAY] {
                turn(&mut Retention::default(), day, start, &mut files);
            }
            assert_eq!(files, days((TODAY - 13..=TODAY).chain([TODAY + jump])), "{jump} days");
        }
    }

    #[test]
    fn a_jump_of_the_clock_and_back_removes_nothing() {
        let start = Instant::now();
        let mut files = days(TODAY - 13..=TODAY);
        let mut retention = Retention::default();
        // Even after weeks, because the clock that was believed was another one.
        turn(&mut retention, TODAY, start, &mut files);
        turn(&mut retention, TODAY, start + TRIAL * 20, &mut files);
        turn(&mut retention, TODAY + 60, start + TRIAL * 20, &mut files);
        turn(&mut retention, TODAY, start + TRIAL * 20 + HOUR, &mut files);
        assert_eq!(files, days((TODAY - 13..=TODAY).chain([TODAY + 60])));
    }

    #[test]
    fn a_device_that_slept_for_60_days_removes_old_files_after_running_for_a_day() {
        let start = Instant::now();
        let mut files = days(TODAY - 13..=TODAY);
        let mut retention = Retention::default();
        turn(&mut retention, TODAY, start, &mut files);
        turn(&mut retention, TODAY + 60, start + HOUR, &mut files);
        assert_eq!(files.len(), 15);
        turn(&mut retention, TODAY + 61, start + HOUR * 24, &mut files);
        assert_eq!(files.len(), 16);
        turn(&mut retention, TODAY + 61, start + HOUR * 25, &mut files);
        assert_eq!(files, days([TODAY + 60, TODAY + 61]));
    }

    #[test]
    fn a_computer_that_starts_in_1970_keeps_every_file() {
        let start = Instant::now();
        let mut files = days(TODAY - 14..TODAY);
        for _restart in 0..3 {
            let mut retention = Retention::default();
            turn(&mut retention, 0, start, &mut files);
            turn(&mut retention, TODAY, start + HOUR, &mut files);
            assert!(files.contains(&0), "the file that this process has just written");
            assert!(files.is_superset(&days(TODAY - 12..=TODAY)));
        }
        let mut retention = Retention::default();
        turn(&mut retention, 0, start, &mut files);
        turn(&mut retention, TODAY, start, &mut files);
        turn(&mut retention, TODAY, start + TRIAL, &mut files);
        assert_eq!(files, days(TODAY - 13..=TODAY));
    }

    #[test]
    fn an_age_that_the_clock_was_seen_to_pass_is_believed() {
        let start = Instant::now();
        let mut files = days(TODAY - 13..=TODAY);
        let mut retention = Retention::default();
        for day in 0..20 {
            turn(&mut retention, TODAY + day, start, &mut files);
            assert_eq!(files, days(TODAY + day - 13..=TODAY + day));
        }
    }

    #[test]
    fn a_process_that_never_runs_for_a_day_does_not_fill_the_disk() {
        let start = Instant::now();
        let mut files = BTreeSet::new();
        for week in 0..100 {
            turn(&mut Retention::default(), TODAY + 7 * week, start, &mut files);
        }
        assert_eq!(files.len(), 14);
        files.clear();
        for month in 0..100 {
            turn(&mut Retention::default(), TODAY + 30 * month, start, &mut files);
        }
        assert_eq!(files.len(), 15);
    }

    #[test]
    fn a_clock_that_crosses_midnight_repeatedly_does_not_jump() {
        let start = Instant::now();
        let mut files = days(TODAY - 13..=TODAY);
        let mut retention = Retention::default();
        for day in [0, 1, 0, 1, 0, 1] {
            turn(&mut retention, TODAY + day, start, &mut files);
        }
        assert_eq!(files, days(TODAY - 12..=TODAY + 1));
        assert!(retention.look(TODAY + 1, start + TRIAL) && !retention.look(TODAY + 1, start + TRIAL * 2));
    }
}
