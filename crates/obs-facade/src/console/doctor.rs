//! Report of the doctor.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use obs_console::Failure;
use obs_console::api::{Check, Doctor, DoctorSummary};
use obs_doctor::{CheckResult, Report};

use super::clock;
use crate::http::Checkup;

/// Returns the last report, or that of a run if `run` is set or there is none yet and one is asked for.
pub(super) fn report(checkup: &Checkup, run: bool) -> Result<Doctor, Failure> {
    if run {
        run_checks(checkup)?;
    }
    Ok(match checkup.last() {
        Some((report, age)) => shown(&report, age),
        None => Doctor { ran_at: None, ok: true, summary: DoctorSummary::default(), checks: Vec::new() },
    })
}

/// Runs the checks, unless they ran within the last seconds.
fn run_checks(checkup: &Checkup) -> Result<Arc<Report>, Failure> {
    let stopping = || Failure::Unavailable("the node is stopping".to_owned());
    // A thread for blocking work belongs to a runtime.
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| stopping())?;
    runtime.block_on(checkup.report()).ok_or_else(stopping)
}

fn shown(report: &Report, age: Duration) -> Doctor {
    let counts = report.summary();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Doctor {
        ran_at: SystemTime::now().checked_sub(age).map(clock::text),
        ok: report.is_ok(),
        summary: DoctorSummary {
            pass: count(counts.pass),
            warn: count(counts.warn),
            fail: count(counts.fail),
            skip: count(counts.skip),
            error: count(counts.error),
        },
        checks: report.results.iter().map(check).collect(),
    }
}

fn check(result: &CheckResult) -> Check {
    let word = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let skip_reason = result.skip_reason.map(|reason| word(serde_json::to_value(reason)));
    Check {
        name: result.name.clone(),
        category: word(serde_json::to_value(&result.category)),
        status: word(serde_json::to_value(result.status)),
        detail: result.detail.clone(),
        fix: result.fix.clone(),
        skip_reason,
        caused_by: result.caused_by.clone(),
        evidence: result.evidence.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
        duration_ms: clock::ms(result.duration),
    }
}
