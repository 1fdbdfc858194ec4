//! `clock_steps`: the wall clock was not set while the node ran.

use super::facts::{age, counted, known};
use crate::check::Context;
use crate::observability::ClockState;
use crate::report::CheckResult;

/// Steps within a day that are a fault. One is usual on a machine without a battery for its clock, which sets it after the
/// start.
const FAULT_STEPS: u64 = 3;
/// Fix for a clock that steps.
const FIX: &str = "turn one time synchronisation on and others off (`timedatectl set-ntp true`, `systemctl list-units \
                   '*ntp*' '*chrony*' '*timesync*'`)";

/// Checks the steps of the clock that the running node has seen.
pub(in crate::checks) fn steps(cx: &Context) -> CheckResult {
    match known(cx, |state| state.clock) {
        Ok(clock) => judge(&clock).evidence("steps", clock.steps),
        Err(result) => result,
    }
}

fn judge(clock: &ClockState) -> CheckResult {
    if clock.steps_of_a_day == 0 {
        return CheckResult::pass(match clock.steps {
            0 => "the clock was not set".to_owned(),
            steps => format!("{} since the start, none within a day", counted(steps, "step")),
        });
    }
    let direction = if clock.last_step_ms < 0 { "back" } else { "forward" };
    let seconds = clock.last_step_ms.unsigned_abs() as f64 / 1_000.0;
    let ago =
        clock.last_step_seconds_ago.map(|seconds| format!(", {} ago", age(seconds))).unwrap_or_default();
    let detail = format!(
        "{} of the clock within a day, the last one {seconds:.1} s {direction}{ago}",
        counted(clock.steps_of_a_day, "step")
    );
    let result = match clock.steps_of_a_day {
        FAULT_STEPS.. => CheckResult::fail(detail),
        _ => CheckResult::warn(detail),
    };
    result.fix(FIX)
}
