//! The functions of `obs-doctor`, as a program calls them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus, Status};

use super::NAMES;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::free_port;
use crate::harness::home::Home;

/// Returns the doctor's configuration for a home.
fn config(home: &Home) -> Outcome<Config> {
    let mut communities = std::fs::read_dir(home.data_dir().join("communities"))?;
    let community = communities.next().ok_or_else(|| failed("a community", "none"))??;
    let id = community.file_name().to_string_lossy().into_owned();
    Ok(Config::new(home.data_dir()).community_id(Some(id)).port(free_port()))
}

fn no_node() -> Arc<dyn CapabilityBus> {
    Arc::new(NoBus)
}

/// `run_all` finds no fault after a fresh `hearthnet init`.
pub(super) fn all_pass(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let config = config(&home)?;
    for config in [config.clone(), config.offline(true)] {
        let report = obs_doctor::run_all(&config, &no_node());
        let names: Vec<_> = report.results.iter().map(|result| result.name.as_str()).collect();
        equal("the checks", names, NAMES.to_vec())?;
        let bad: Vec<_> = report.results.iter().filter(|result| !result.ok).collect();
        ensure(bad.is_empty(), "every check is ok", bad)?;
        equal("the exit code", report.exit_code(), 0)?;
    }
    Ok(())
}

/// `keys_present` fails without a key. Checks that depend on it are skipped with the cause.
pub(super) fn keys_missing(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let config = config(&home)?;
    std::fs::remove_file(home.key_file())?;
    let result = obs_doctor::run_one("keys_present", &config, &no_node())?;
    equal("its status", result.status, Status::Fail)?;
    ensure(!result.ok && !result.detail.is_empty(), "not ok, with a detail", &result)?;
    ensure(result.fix.as_ref().is_some_and(|fix| !fix.is_empty()), "a fix", &result)?;

    let report = obs_doctor::run_all(&config, &no_node());
    let failing: Vec<_> =
        report.results.iter().filter(|result| !result.ok).map(|result| result.name.as_str()).collect();
    equal("one fault gives one failure", failing, vec!["keys_present"])?;
    let loadable = report.get("keys_loadable").ok_or_else(|| failed("keys_loadable", "none"))?;
    equal("the status of keys_loadable", loadable.status, Status::Skip)?;
    let detail = format!("{} {:?}", loadable.detail, loadable.skip_reason);
    crate::case::contains("why it was skipped", &detail, "keys_present")?;
    equal("the exit code", report.exit_code(), 1)
}

/// A program registers checks of its own. A check that panics and one that hangs leave the other results as they are.
pub(super) fn own_checks(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let config = config(&home)?;
    let mut doctor = Doctor::standard();
    doctor
        .register(Check::new("vector_store").run(|_| async { CheckResult::fail("gone").fix("reindex") }))?;
    doctor.register(Check::new("answers").after("vector_store").run_blocking(|_| CheckResult::pass("42")))?;
    doctor.register(
        Check::new("panics").run_blocking(|_| std::panic::resume_unwind(Box::new("no message on stderr"))),
    )?;
    doctor.register(Check::new("hangs").run(|_| std::future::pending()))?;
    doctor.register(Check::new("blocks").run_blocking(|_| {
        std::thread::sleep(Duration::from_secs(30));
        CheckResult::pass("late")
    }))?;
    ensure(
        doctor.register(Check::new("disk_space").run_blocking(|_| CheckResult::pass(""))).is_err(),
        "no second disk_space",
        "taken",
    )?;
    let orphan = Check::new("orphan").after("nosuch").run_blocking(|_| CheckResult::pass(""));
    ensure(doctor.register(orphan).is_err(), "no check after an unknown one", "taken")?;

    let start = Instant::now();
    let report = doctor.run_all_blocking(&config, &no_node());
    ensure(start.elapsed() < Duration::from_millis(5_500), "an end within 5 s", start.elapsed())?;
    let status = |name: &str| report.get(name).map(|result| result.status);
    equal("vector_store", status("vector_store"), Some(Status::Fail))?;
    equal("answers", status("answers"), Some(Status::Skip))?;
    equal("panics", status("panics"), Some(Status::Error))?;
    for name in ["hangs", "blocks"] {
        ensure(
            report.get(name).is_some_and(|result| !result.ok),
            &format!("{name} not ok"),
            report.get(name),
        )?;
    }
    let standard: Vec<_> =
        NAMES.iter().filter(|name| !report.get(name).is_some_and(|result| result.ok)).collect();
    ensure(standard.is_empty(), "the standard checks ok", standard)?;
    ensure(
        obs_doctor::run_one("nosuch", &config, &no_node()).is_err(),
        "an error for an unknown name",
        "a result",
    )
}
