//! A program with a doctor only. It has checks of its own in a registry of its own, beside two standard checks.
//!
//! It ends with exit code 0 when the report's verdicts are right.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus, Status, render};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("doctor-only-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let outcome = examine(&dir);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn examine(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut doctor = Doctor::standard().only(["disk_space", "keys_present"])?;
    doctor.register(Check::new("vector_store").after("disk_space").run(|cx| async move {
        match std::fs::read(cx.config.data_dir.join("vectors")) {
            Ok(store) => CheckResult::pass(format!("{} bytes", store.len())),
            Err(err) => CheckResult::fail(err.to_string()).fix("run the indexer"),
        }
    }))?;
    doctor.register(Check::new("answers").after("vector_store").run_blocking(|_| CheckResult::pass("42")))?;
    if doctor.register(Check::new("answers").run_blocking(|_| CheckResult::pass("43"))).is_ok() {
        return Err("a second check of the same name was taken".into());
    }

    let config = Config::new(dir).offline(true);
    let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
    // Neither a key nor a store: two faults, and one check that waits for the store.
    check(&doctor, &config, &bus, [Status::Fail, Status::Fail, Status::Skip], 1)?;
    std::fs::write(dir.join("vectors"), [0; 3])?;
    check(&doctor, &config, &bus, [Status::Fail, Status::Pass, Status::Pass], 1)
}

/// Compares the verdicts on the key, the store and the answers, and the exit code.
fn check(
    doctor: &Doctor,
    config: &Config,
    bus: &Arc<dyn CapabilityBus>,
    expected: [Status; 3],
    exit_code: u8,
) -> Result<(), Box<dyn Error>> {
    let report = doctor.run_all_blocking(config, bus);
    let found =
        ["keys_present", "vector_store", "answers"].map(|name| report.get(name).map(|result| result.status));
    if found == expected.map(Some) && report.exit_code() == exit_code {
        return Ok(());
    }
    Err(render::text(&report, &render::TextStyle::default()).into())
}
