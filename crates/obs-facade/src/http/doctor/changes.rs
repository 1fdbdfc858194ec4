//! Log lines about checks that begin or cease to fail.

use std::collections::HashMap;

use obs_doctor::Report;
use obs_log::{Logger, info, warn};

use crate::counted_elsewhere;

static LOG: Logger = Logger::new("hearthnet.doctor");

/// Logs each check whose verdict differs from `known`, and remembers the new verdicts. A check without a known verdict
/// counts as healthy, so that a healthy start logs nothing.
pub(super) fn log_changes(known: &mut HashMap<String, bool>, report: &Report) {
    for result in &report.results {
        let was_ok = known.insert(result.name.clone(), result.ok).unwrap_or(true);
        if was_ok && !result.ok {
            let fix = result.fix.as_deref().unwrap_or_default();
            // The result of the check is the problem.
            counted_elsewhere(|| {
                warn!(logger: LOG, check = result.name, detail = result.detail, fix = fix; "check fails");
            });
        } else if !was_ok && result.ok {
            info!(logger: LOG, check = result.name, detail = result.detail; "check no longer fails");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus};

    use super::*;
    use crate::testing::Capture;

    fn report(failing: &[&str]) -> Report {
        let mut doctor = Doctor::empty();
        for name in ["a", "b"] {
            let fails = failing.contains(&name);
            let check = Check::new(name).run_blocking(move |_| match fails {
                true => CheckResult::fail("is down").fix("wait"),
                false => CheckResult::pass("well"),
            });
            doctor.register(check).unwrap();
        }
        let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
        doctor.run_all_blocking(&Config::new("/nosuch"), &bus)
    }

    #[test]
    fn each_change_is_one_line() {
        let (obs, mut known) = (Capture::new(), HashMap::new());
        obs.run(|| {
            for failing in [&[][..], &["a"], &["a"], &["a", "b"], &["b"], &["b"], &[]] {
                log_changes(&mut known, &report(failing));
            }
        });
        let lines = obs.logs();
        let told: Vec<_> = lines.all().iter().map(|line| (&line["check"], &line["level"])).collect();
        let expected = [("a", "warning"), ("b", "warning"), ("a", "info"), ("b", "info")];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for ((check, level), expected) in told.into_iter().zip(expected) {
            assert_eq!((check.as_str(), level.as_str()), (Some(expected.0), Some(expected.1)));
        }
    }
}
