//! Checks of observability itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use obs_doctor::{
    BusError, CapabilityBus, Check, ClockState, Doctor, ExportCounts, ExportState, LastRun, LogState,
    Observability, Outcome, RunEnd, SkipReason, Status,
};

use crate::home::{Home, assert_passes, assert_skips, set_mode};
use crate::promises::snapshot;

/// Running node with this state.
pub(crate) struct Watched(pub(crate) Observability);

impl CapabilityBus for Watched {
    fn node_id(&self) -> Option<String> {
        Some(crate::home::node_id())
    }
    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(vec!["llm.chat".to_owned()])
    }
    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(Vec::new())
    }
    fn recent_outcomes(&self, _: usize) -> Result<Vec<Outcome>, BusError> {
        Ok(Vec::new())
    }
    fn observability(&self) -> Result<Observability, BusError> {
        Ok(self.0.clone())
    }
}

/// Makes a hand-over file of a process that has ended.
pub(crate) fn left_behind(home: &Home, number: u64) -> PathBuf {
    let mut dead = Command::new("true").spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    let path = home.log().join(format!(".handover-{pid}-77-{number}"));
    fs::write(&path, [0; 4096]).unwrap();
    path
}

const OWN: [&str; 7] = [
    "log_folder",
    "log_writes",
    "log_handover",
    "log_crash_safety",
    "trace_export",
    "last_stop",
    "clock_steps",
];

/// A node whose log, export, clock and last run are well.
fn well() -> Observability {
    Observability {
        log: Some(LogState { written: 812, crash_safe: true, ..LogState::default() }),
        export: ExportState::On(ExportCounts { exported: 40, ..ExportCounts::default() }),
        metrics_export: ExportState::On(ExportCounts { exported: 7, ..ExportCounts::default() }),
        log_export: ExportState::Off,
        clock: Some(ClockState::default()),
        last_run: Some(LastRun { ended: RunEnd::InOrder, ..LastRun::default() }),
    }
}

#[test]
fn they_come_after_the_twelve_of_the_specification_and_follow_the_folder() {
    let doctor = Doctor::standard();
    let names: Vec<&str> = doctor.checks().map(Check::name).collect();
    assert_eq!(names[12..], OWN);
    for check in doctor.checks().filter(|check| check.name().starts_with("log_")).skip(1) {
        assert_eq!(check.dependencies(), ["log_folder"], "{}", check.name());
    }
}

#[test]
fn a_well_node_passes_all_of_them() {
    let home = Home::fresh();
    let bus: Arc<dyn CapabilityBus> = Arc::new(Watched(well()));
    let report = Doctor::standard().only(OWN).unwrap().run_all_blocking(&home.config, &bus);
    assert_eq!(report.summary().pass, OWN.len(), "{report:?}");
    let export = report.results.iter().find(|result| result.name == "trace_export").unwrap();
    assert_passes(export, "40 traces and 7 metrics exported");
}

#[test]
fn what_is_not_known_is_skipped_with_the_reason() {
    let home = Home::fresh();
    for name in ["log_writes", "log_crash_safety", "trace_export", "last_stop", "clock_steps"] {
        assert_skips(&home.run(name), SkipReason::NoNode, "no node running");
        let untold = home.with_bus(Watched(Observability::default()), name);
        assert_skips(&untold, SkipReason::Unsupported, "does not tell");
    }
    let off = Observability { export: ExportState::Off, ..Observability::default() };
    assert_skips(&home.with_bus(Watched(off), "trace_export"), SkipReason::NotConfigured, "no collector");
    let lines = ExportState::On(ExportCounts { exported: 1, ..ExportCounts::default() });
    let lines = Observability { export: ExportState::Off, log_export: lines, ..Observability::default() };
    assert_passes(&home.with_bus(Watched(lines), "trace_export"), "1 log line exported");
    let mut without = Home::fresh();
    without.config.log_dir = None;
    for name in ["log_folder", "log_handover"] {
        assert_skips(&without.run(name), SkipReason::NotConfigured, "no log folder");
    }
}

#[test]
fn the_first_start_makes_a_missing_log_folder() {
    let mut home = Home::fresh();
    home.config.log_dir = Some(home.root().join("not/yet/made"));
    assert_passes(&home.run("log_folder"), "the first start makes it");
    assert_passes(&home.run("log_handover"), "none is left behind");
}

#[test]
fn each_fix_of_a_mode_mends_its_fault() {
    let home = Home::fresh();
    let day = home.log().join("2026-01-02.log");
    fs::write(&day, "").unwrap();
    for (folder, file) in [(0o777, 0o600), (0o770, 0o600), (0o755, 0o644), (0o755, 0o666), (0o722, 0o604)] {
        set_mode(&home.log(), folder);
        set_mode(&day, file);
        let failed = home.run("log_folder");
        assert_eq!(failed.status, Status::Fail, "{folder:o} {file:o} {failed:?}");
        // One fault hides another.
        for _ in 0..2 {
            let Some(fix) = home.run("log_folder").fix else { break };
            assert!(Command::new("sh").args(["-ec", &fix]).status().unwrap().success(), "{fix}");
        }
        assert_passes(&home.run("log_folder"), "log");
    }
    set_mode(&day, 0o644);
    set_mode(&home.log(), 0o700);
    assert_passes(&home.run("log_folder"), "0700");
    set_mode(&home.log(), 0o750);
    assert_passes(&home.run("log_folder"), "0750");
    fs::remove_dir_all(home.log()).unwrap();
    fs::write(home.log(), "").unwrap();
    let fix = home.run("log_folder").fix.unwrap();
    let command = fix.split('`').nth(1).unwrap();
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{fix}");
    assert_passes(&home.run("log_folder"), "the first start makes it");
}

/// A lock that a process holds on its file shows that it lives, whatever its name says.
#[cfg(target_os = "linux")]
#[test]
fn a_hand_over_file_that_is_in_use_is_not_left_behind() {
    let home = Home::fresh();
    let path = left_behind(&home, 1);
    let file = fs::File::options().write(true).open(&path).unwrap();
    assert_eq!(home.with_bus(Watched(well()), "log_handover").status, Status::Warn);
    crate::lock::lock(&file);
    assert_passes(&home.with_bus(Watched(well()), "log_handover"), "none");
    assert_passes(&home.run("log_handover"), "none");
    drop(file);
    assert_eq!(home.run("log_handover").status, Status::Warn);
    // A process without a lock lives as long as its number exists.
    let alive = home.log().join(format!(".handover-{}-{}-1", std::process::id(), (1_u64 << 63) | 5));
    fs::rename(&path, alive).unwrap();
    assert_passes(&home.run("log_handover"), "none");
    for name in [".handover-", ".handover-1", ".handover-x-1-1", ".handover-99999999999-1-1", ".handover"] {
        fs::write(home.log().join(name), "").unwrap();
    }
    assert_passes(&home.run("log_handover"), "none");
}

#[test]
fn nothing_in_the_log_folder_changes() {
    let home = Home::fresh();
    left_behind(&home, 1);
    fs::write(home.log().join("2026-01-02.log"), "{}\n").unwrap();
    let before = snapshot(&home.log());
    std::thread::sleep(std::time::Duration::from_millis(20));
    home.run_all();
    assert_eq!(before, snapshot(&home.log()));
    assert_eq!(fs::metadata(home.log()).unwrap().permissions().mode() & 0o777, 0o700);
}

/// An older fault is mentioned for a day and no longer fails; so is a kill.
#[test]
fn an_old_fault_ceases_to_fail() {
    let home = Home::fresh();
    let log = |seconds| {
        let log = LogState { write_errors: 1, write_error_seconds_ago: Some(seconds), ..well().log.unwrap() };
        home.with_bus(Watched(Observability { log: Some(log), ..well() }), "log_writes").status
    };
    assert_eq!(
        [log(0), log(900), log(901), log(86_400), log(86_401)],
        [Status::Fail, Status::Fail, Status::Warn, Status::Warn, Status::Pass]
    );
    let stop = |ended, uptime_seconds| {
        let last = LastRun { ended, uptime_seconds, ..LastRun::default() };
        home.with_bus(Watched(Observability { last_run: Some(last), ..well() }), "last_stop").status
    };
    assert_eq!(stop(RunEnd::Killed, 86_400), Status::Warn);
    assert_eq!(stop(RunEnd::Killed, 86_401), Status::Pass);
    assert_eq!([stop(RunEnd::None, 0), stop(RunEnd::InOrder, 0)], [Status::Pass; 2]);
    assert_eq!(stop(RunEnd::Unknown, 0), Status::Skip);
    let clock = |steps_of_a_day| {
        let clock = ClockState { steps: 3, steps_of_a_day, ..ClockState::default() };
        home.with_bus(Watched(Observability { clock: Some(clock), ..well() }), "clock_steps").status
    };
    assert_eq!(
        [clock(0), clock(1), clock(2), clock(3)],
        [Status::Pass, Status::Warn, Status::Warn, Status::Fail]
    );
}
