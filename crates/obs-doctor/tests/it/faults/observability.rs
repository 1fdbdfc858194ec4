//! Faults of observability itself: the log folder, what the running node knows of its log, export, clock and last run.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use obs_doctor::machine::{Clock, Machine, Volume};
use obs_doctor::{
    BusError, CapabilityBus, ClockState, ExportCounts, ExportState, LastRun, LogState, Observability,
    Outcome, RunEnd,
};

use super::broken::{Broken, broken_disk};
use super::machine::Disk;
use super::table::Table;
use crate::child;
use crate::home::{Home, set_mode};
use crate::observability::{Watched, left_behind};

pub(super) fn log_folder(table: &mut Table) {
    const NAME: &str = "log_folder";
    let home = Home::fresh();
    let dir = home.log();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run(NAME));
    set_mode(&dir, 0o777);
    look(table, "mode 0777");
    set_mode(&dir, 0o770);
    look(table, "mode 0770");
    set_mode(&dir, 0o755);
    fs::write(dir.join("2026-01-02.log"), "{}\n").unwrap();
    set_mode(&dir.join("2026-01-02.log"), 0o644);
    look(table, "a file with mode 0644 in a folder with mode 0755");
    set_mode(&dir, 0o700);
    fs::remove_dir_all(&dir).unwrap();
    let running = Watched(Observability::default());
    table.add(&home, "removed while the node runs", &home.with_bus(running, NAME));
    fs::write(&dir, "").unwrap();
    look(table, "a file");
    fs::remove_file(&dir).unwrap();
    symlink(home.root().join("not mounted"), &dir).unwrap();
    look(table, "a link to nothing");
    fs::remove_file(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    let denied = Machine::default().files(Broken(ErrorKind::PermissionDenied));
    table.add(&home, "unreachable for this user", &home.run_on(denied, NAME));
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), NAME));
    table.add(&home, "the disk does not answer", &home.run_on(Machine::default().volumes(Disk(None)), NAME));

    let home = Home::fresh();
    set_mode(&home.log(), 0o500);
    table.add_json(&home, "mode 0500", NAME, child::report_as_nobody(&home).as_ref());
    let home = Home::fresh();
    table.add_json(&home, "another user's", NAME, child::report_as_stranger_who_may_look(&home).as_ref());
    let mut home = Home::fresh();
    let above = home.root().join("state");
    fs::create_dir(&above).unwrap();
    home.config.log_dir = Some(above.join("log"));
    table.add_json(
        &home,
        "missing, in a folder of another user",
        NAME,
        child::report_as_stranger(&home).as_ref(),
    );
    let home = Home::fresh();
    let log = home.log().display().to_string();
    let bind = format!("mount --bind {log} {log}; mount -o remount,ro,bind {log}");
    table.add_json(&home, "a read-only mount", NAME, child::report_in_namespaces(&home, &bind).as_ref());
    let small = format!("mount -t tmpfs -o size=4m,mode=700 none {log}");
    table.add_json(
        &home,
        "a small disk of its own",
        NAME,
        child::report_in_namespaces(&home, &small).as_ref(),
    );
    let no_inodes = format!("mount -t tmpfs -o size=200m,mode=700,nr_inodes=1 none {log}");
    table.add_json(
        &home,
        "no inode on a disk of its own",
        NAME,
        child::report_in_namespaces(&home, &no_inodes).as_ref(),
    );
    let read_only = Volume { available_bytes: 0, total_bytes: 0, available_inodes: None, read_only: true };
    let mut home = Home::fresh();
    home.config.log_dir = Some(home.root().join("data/new/log"));
    let machine = Machine::default().volumes(Disk(Some(read_only)));
    table.add(&home, "missing, on a read-only disk", &home.run_on(machine, NAME));
}

pub(super) fn log_writes(table: &mut Table) {
    let home = Home::fresh();
    let mut look = |fault: &str, log: LogState| {
        let state = Observability { log: Some(log), ..Observability::default() };
        table.add(&home, fault, &home.with_bus(Watched(state), "log_writes"));
    };
    let log = LogState { written: 812, crash_safe: true, ..LogState::default() };
    look("write errors", LogState { write_errors: 4, write_error_seconds_ago: Some(12), ..log.clone() });
    look("dropped lines", LogState { dropped: 120, dropped_seconds_ago: Some(300), ..log.clone() });
    let earlier = LogState { write_errors: 4, write_error_seconds_ago: Some(3_600), ..log };
    look("write errors an hour ago", LogState { dropped: 120, dropped_seconds_ago: Some(7_200), ..earlier });
    let silent = Err(BusError::Unreachable("GET /status: no answer in time".to_owned()));
    table.add(&home, "the node does not answer", &home.with_bus(Silent(silent), "log_writes"));
}

/// A minute from now.
struct Later;

impl Clock for Later {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }
}

/// A node that gives no answer.
struct Silent(Result<Observability, BusError>);

impl CapabilityBus for Silent {
    fn node_id(&self) -> Option<String> {
        None
    }
    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(Vec::new())
    }
    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(Vec::new())
    }
    fn recent_outcomes(&self, _: usize) -> Result<Vec<Outcome>, BusError> {
        Ok(Vec::new())
    }
    fn observability(&self) -> Result<Observability, BusError> {
        self.0.clone()
    }
}

pub(super) fn log_handover(table: &mut Table) {
    const NAME: &str = "log_handover";
    let home = Home::fresh();
    let file = left_behind(&home, 1);
    table.add(&home, "a killed node", &home.run(NAME));
    let held = fs::File::create(home.log().join(format!(".handover-{}-78-1", std::process::id()))).unwrap();
    crate::lock::lock(&held);
    let later = || Machine::default().clock(Later);
    table.add(&home, "a killed process beside the running node", &home.run_on(later(), NAME));
    if std::os::unix::fs::chown(&file, Some(child::NOBODY), None).is_err() {
        table.missing = true;
        return;
    }
    left_behind(&home, 2);
    table.add(&home, "a killed process of another user", &home.run_on(later(), NAME));
}

pub(super) fn log_crash_safety(table: &mut Table) {
    const NAME: &str = "log_crash_safety";
    let home = Home::fresh();
    let unsafe_log = || {
        let log = LogState { crash_safe: false, ..LogState::default() };
        Watched(Observability { log: Some(log), ..Observability::default() })
    };
    table.add(&home, "no hand-over file", &home.with_bus(unsafe_log(), NAME));
    for number in 0..16 {
        left_behind(&home, number);
    }
    table.add(&home, "16 files left behind", &home.with_bus(unsafe_log(), NAME));
}

pub(super) fn trace_export(table: &mut Table) {
    let home = Home::fresh();
    let mut look = |fault: &str, counts: ExportCounts| {
        let state = Observability { export: ExportState::On(counts), ..Observability::default() };
        table.add(&home, fault, &home.with_bus(Watched(state), "trace_export"));
    };
    let counts = ExportCounts { exported: 40, lost: 12, lost_seconds_ago: Some(30), is_failing: false };
    look("the collector is down", ExportCounts { is_failing: true, ..counts.clone() });
    look("the collector was down", counts.clone());
    let lines = ExportCounts { exported: 812, lost: 0, lost_seconds_ago: None, is_failing: true };
    let state = Observability {
        export: ExportState::On(ExportCounts { lost: 0, lost_seconds_ago: None, ..counts.clone() }),
        metrics_export: ExportState::On(ExportCounts { is_failing: true, ..counts }),
        log_export: ExportState::On(lines),
        ..Observability::default()
    };
    let fault = "the collector takes traces alone";
    table.add(&home, fault, &home.with_bus(Watched(state), "trace_export"));
}

pub(super) fn last_stop(table: &mut Table) {
    let home = Home::fresh();
    let mut look = |fault: &str| {
        let at = Some("2026-01-02T03:04:05Z".to_owned());
        let last = LastRun { ended: RunEnd::Killed, at, recovered_lines: 3, uptime_seconds: 60 };
        let state = Observability { last_run: Some(last), ..Observability::default() };
        table.add(&home, fault, &home.with_bus(Watched(state), "last_stop"));
    };
    look("killed");
}

pub(super) fn clock_steps(table: &mut Table) {
    let home = Home::fresh();
    let mut look = |fault: &str, steps: u64, last_step_ms: i64| {
        let clock =
            ClockState { steps, steps_of_a_day: steps, last_step_ms, last_step_seconds_ago: Some(600) };
        let state = Observability { clock: Some(clock), ..Observability::default() };
        table.add(&home, fault, &home.with_bus(Watched(state), "clock_steps"));
    };
    look("set three times", 3, -90_000);
    look("set once", 1, 3_600_500);
}
