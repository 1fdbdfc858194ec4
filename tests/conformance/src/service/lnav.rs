//! `docs/operate/hearthnet.lnav.json`, tried with lnav.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::mixed::Mixed;
use crate::harness::{oracle, process};

const LIMIT: Duration = Duration::from_secs(60);

/// lnav reads a day of a node: every line, with its level, its logger and the fields of a call.
pub(super) fn reads_the_log(lab: &Lab) -> Outcome {
    if !oracle::runs(Command::new("lnav").arg("-V")) {
        return Err(lab.oracle_missing("lnav (Debian package lnav)"));
    }
    let home = tempfile::tempdir()?;
    let formats = home.path().join("formats/hearthnet");
    std::fs::create_dir_all(&formats)?;
    let format = lab.root().join("docs/operate/hearthnet.lnav.json");
    std::fs::copy(format, formats.join("hearthnet.json"))?;
    let mixed = Mixed::of(lab)?;
    let query = ";SELECT log_level, count(*) AS lines, count(trace_id) AS traced, \
                 sum(log_body = 'done' AND capability IS NOT NULL AND ms IS NOT NULL) AS calls, \
                 sum(logger LIKE 'hearthnet.%') AS ours FROM hearthnet_log GROUP BY log_level";
    let mut command = Command::new("lnav");
    command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").arg("-n").arg("-I").arg(home.path());
    command.args(["-c", query, "-c", ":write-json-to -"]).args(mixed.home.day_files()?);
    let ran = process::run(&mut command, b"", LIMIT)?;
    let rows: Vec<Value> =
        serde_json::from_str(&ran.stdout).map_err(|_| failed("lnav answers", ran.stdout + &ran.stderr))?;
    let sum = |column: &str| rows.iter().filter_map(|row| row[column].as_u64()).sum::<u64>();
    equal("the lines that lnav reads", sum("lines"), mixed.lines.len() as u64)?;
    let traced = mixed.lines.iter().filter(|line| line.trace_id().is_some()).count();
    equal("the lines with a trace ID", sum("traced"), traced as u64)?;
    ensure(sum("calls") > 0 && sum("ours") > 0, "fields of calls as columns", &rows)?;
    let levels: Vec<_> = rows.iter().filter_map(|row| row["log_level"].as_str()).collect();
    ensure(levels.contains(&"info"), "the levels of the log", levels)
}
