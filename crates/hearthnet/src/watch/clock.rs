//! Steps of the wall clock while the node runs.
//!
//! A clock that is set breaks the order of the log, and signatures of other nodes read as expired. The wall clock is
//! compared with one that nobody sets and that counts a suspended machine too, so that a suspend is no step.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_facade::doctor::ClockState;
use obs_facade::warn_limited;

use super::LOG;

/// Smallest change that counts. It is far above the resolution of the clocks, and slewing: time synchronisation slews by
/// 2.5 ms between two beats at most.
const MIN_STEP: Duration = Duration::from_secs(1);
/// Maximum time between the readings of two clocks that are compared. A process that was held up reads them again.
const MAX_GAP: Duration = Duration::from_millis(200);
/// Number of steps whose times are kept. More than three within a day are one fault.
const KEPT_STEPS: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Steps that were seen.
#[derive(Debug, Default)]
pub(crate) struct ClockSteps {
    // Held to add a step or to copy the counts.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    steps: u64,
    last_ms: i64,
    /// Times of the last steps on the clock that nobody sets.
    at: VecDeque<Duration>,
    /// The last reading.
    now: Option<Reading>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Time since the start of the machine.
    uptime: Duration,
    /// Time since 1970 in milliseconds.
    wall_ms: i64,
}

impl Reading {
    /// Reads both clocks. `None` if the process was held up between them.
    fn now() -> Option<Reading> {
        for _ in 0..5 {
            let before = uptime()?;
            let wall_ms = wall_ms(SystemTime::now());
            let after = uptime()?;
            if after.saturating_sub(before) <= MAX_GAP {
                return Some(Reading { uptime: before, wall_ms });
            }
        }
        None
    }
}

fn wall_ms(time: SystemTime) -> i64 {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set to a time before 1970 is a step like another.
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -ms(before.duration()), ms)
}

/// Returns the time since the start of the machine, with the time that it was suspended. `/proc/uptime` is
/// `CLOCK_BOOTTIME` in hundredths of a second.
#[cfg(target_os = "linux")]
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Returns the time since the first call.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Option<Duration> {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    Some(START.elapsed())
}

impl ClockSteps {
    /// Returns the counts for the doctor.
    pub(crate) fn state(&self) -> ClockState {
        let seen = self.seen();
        let now = uptime().or(seen.now.map(|reading| reading.uptime)).unwrap_or_default();
        let ago = |at: &Duration| now.saturating_sub(*at);
        ClockState {
            steps: seen.steps,
            steps_of_a_day: seen.at.iter().filter(|at| ago(at) <= DAY).count() as u64,
            last_step_ms: seen.last_ms,
            last_step_seconds_ago: seen.at.back().map(|at| ago(at).as_secs()),
        }
    }

    /// Compares the clocks with their last reading, and logs a step.
    pub(crate) fn look(&self) {
        if let Some(step) = Reading::now().and_then(|now| self.note(now)) {
            warn_limited!(LOG, "clock_step", step_ms = step; "the clock was set");
        }
    }

    /// Compares a reading with the one before, and returns the step in milliseconds if there was one.
    fn note(&self, now: Reading) -> Option<i64> {
        let mut seen = self.seen();
        let before = seen.now.replace(now)?;
        let passed = now.uptime.saturating_sub(before.uptime).as_millis();
        let shown = now.wall_ms.saturating_sub(before.wall_ms);
        let step = shown.saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX));
        if u128::from(step.unsigned_abs()) < MIN_STEP.as_millis() {
            return None;
        }
        seen.steps += 1;
        seen.last_ms = step;
        if seen.at.len() == KEPT_STEPS {
            seen.at.pop_front();
        }
        seen.at.push_back(now.uptime);
        Some(step)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(uptime: u64, wall: i64) -> Reading {
        Reading { uptime: Duration::from_secs(uptime), wall_ms: wall * 1_000 }
    }

    #[test]
    fn only_what_the_passing_of_time_does_not_explain_is_a_step() {
        let steps = ClockSteps::default();
        assert_eq!(steps.note(reading(10, 1_000)), None, "the first reading");
        assert_eq!(steps.note(reading(15, 1_005)), None);
        // Suspended for eight hours: both clocks count them.
        assert_eq!(steps.note(reading(28_815, 29_805)), None);
        let slewed = Reading { uptime: Duration::from_secs(28_820), wall_ms: 29_810_900 };
        assert_eq!(steps.note(slewed), None);
        assert_eq!(steps.note(reading(28_825, 29_725)), Some(-90_900));
        assert_eq!(steps.note(reading(28_830, 33_330)), Some(3_600_000));
        assert_eq!(steps.note(reading(28_835, 33_335)), None);
        let state = steps.state();
        assert_eq!((state.steps, state.last_step_ms), (2, 3_600_000));
    }

    #[test]
    fn steps_beyond_the_kept_ones_are_counted_and_extreme_times_do_not_overflow() {
        let steps = ClockSteps::default();
        for number in 0..1_000 {
            steps.note(reading(number * 5, if number % 2 == 0 { 0 } else { 1_000_000 }));
        }
        assert_eq!(steps.seen().at.len(), KEPT_STEPS);
        assert_eq!(steps.state().steps, 999);
        for wall_ms in [i64::MIN, i64::MAX, 0, i64::MIN] {
            assert!(steps.note(Reading { uptime: Duration::MAX, wall_ms }).is_some());
        }
        assert_eq!(wall_ms(UNIX_EPOCH - Duration::from_secs(3)), -3_000);
    }

    #[test]
    fn the_clocks_of_this_machine_agree() {
        let steps = ClockSteps::default();
        for _ in 0..3 {
            let now = Reading::now().expect("readable clocks");
            assert_eq!(steps.note(now), None);
        }
        assert_eq!(steps.state(), ClockState::default());
    }
}
