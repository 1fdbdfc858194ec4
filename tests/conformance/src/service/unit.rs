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

/// The unit leaves the files in `/dev/shm` in place, so that a node that is started again after a kill finds its traces there.
pub(super) fn keeps_the_memory_of_a_killed_node(lab: &Lab) -> Outcome {
    let text = std::fs::read_to_string(lab.root().join("docs/operate/hearthnet.service"))?;
    // systemd removes all files of the service's user in /dev/shm when the unit stops, also before an automatic restart.
    // The default of RemoveIPC= is no, and a person who hardens the unit should find the reason beside it.
    equal("RemoveIPC", values(&text, "RemoveIPC"), vec!["no"])?;
    // It implies RemoveIPC=yes.
    ensure(values(&text, "DynamicUser").is_empty(), "no DynamicUser=", &text)?;
    // Other settings can hide the folder. PrivateDevices=, PrivateTmp= and PrivateIPC= do not: the first binds the folder of
    // the system into the new /dev, and the others do not affect it.
    for setting in
        ["TemporaryFileSystem", "InaccessiblePaths", "ReadOnlyPaths", "BindPaths", "BindReadOnlyPaths"]
    {
        let hidden: Vec<_> =
            values(&text, setting).into_iter().filter(|value| value.contains("/dev")).collect();
        ensure(hidden.is_empty(), "nothing in the place of /dev/shm", (setting, hidden))?;
    }
    for setting in ["RootDirectory", "RootImage"] {
        ensure(values(&text, setting).is_empty(), "the /dev/shm of the system", setting)?;
    }
    Ok(())
}

/// Returns the values of a setting.
fn values<'a>(unit: &'a str, setting: &str) -> Vec<&'a str> {
    let of_setting = |line: &'a str| line.strip_prefix(setting)?.strip_prefix('=');
    unit.lines().filter_map(of_setting).collect()
}

fn analyze(arguments: &[&str], unit: &Path) -> Outcome<String> {
    let ran = process::run(Command::new("systemd-analyze").args(arguments).arg(unit), b"", LIMIT)?;
    Ok(ran.stdout + &ran.stderr)
}
