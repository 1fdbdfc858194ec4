//! `docs/operate/hearthnet.service`, judged by `systemd-analyze`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::{oracle, process};

/// Maximum exposure, of 10. systemd calls a service below 2 well protected.
const MAX_EXPOSURE: f64 = 2.0;
const LIMIT: Duration = Duration::from_secs(60);

/// systemd finds no mistake in the unit, and little that the service may do beyond its work.
pub(super) fn correct_and_hardened(lab: &Lab) -> Outcome {
    if !oracle::runs(Command::new("systemd-analyze").arg("--version")) {
        return Err(lab.oracle_missing("systemd-analyze (Debian package systemd)"));
    }
    let text = std::fs::read_to_string(lab.root().join("docs/operate/hearthnet.service"))?;
    let installed = "/usr/local/bin/hearthnet ";
    ensure(text.contains(&format!("ExecStart={installed}run")), "the place of the binary", &text)?;
    // systemd demands that the program exists.
    let here = text.replace(installed, &format!("{} ", std::fs::canonicalize(lab.hearthnet()?)?.display()));
    let folder = tempfile::tempdir()?;
    let unit = folder.path().join("hearthnet.service");
    std::fs::write(&unit, here)?;
    let verified = analyze(&["verify", "--man=no"], &unit)?;
    // Units of the machine itself may have mistakes.
    let about_ours: Vec<_> =
        verified.lines().filter(|line| line.contains("hearthnet") || line.contains("Unknown")).collect();
    ensure(about_ours.is_empty(), "no mistake in the unit", about_ours)?;
    let judged = analyze(&["security", "--offline=true", "--no-pager"], &unit)?;
    let exposure = judged
        .rsplit_once("exposure level for hearthnet.service: ")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
    let Some(exposure) = exposure else { return Err(failed("an exposure level", judged)) };
    ensure(exposure <= MAX_EXPOSURE, "an exposure of at most 2 of 10", exposure)?;
    for line in ["Type=notify", "WatchdogSec=30", "ExecReload=/bin/kill -HUP $MAINPID"] {
        equal(line, text.lines().filter(|written| *written == line).count(), 1)?;
    }
    Ok(())
}

fn analyze(arguments: &[&str], unit: &Path) -> Outcome<String> {
    let ran = process::run(Command::new("systemd-analyze").args(arguments).arg(unit), b"", LIMIT)?;
    Ok(ran.stdout + &ran.stderr)
}
