//! `hearthnet doctor`: exit codes, text, JSON.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::NAMES;
use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::free_port;
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, strict_json};

/// Creates a home whose port is free, whatever else runs on this machine.
fn fresh(lab: &Lab) -> Outcome<Home> {
    let home = Home::initialised(lab)?;
    home.configure("transport", "port", i64::from(free_port()))?;
    Ok(home)
}

/// Returns the report as data, whatever the verdict.
fn report(home: &Home, args: &[&str]) -> Outcome<Value> {
    let ran = home.hearthnet(&[&["doctor", "--json"], args].concat())?;
    let parsed = strict_json::parse(&ran.stdout);
    parsed.map_err(|err| {
        failed("JSON alone on stdout", format!("{err}: {}\nstderr: {}", ran.stdout, ran.stderr))
    })
}

/// Returns the check of this name in a report.
fn check<'a>(report: &'a Value, name: &str) -> Outcome<&'a Value> {
    let checks = report["checks"].as_array().into_iter().flatten();
    checks
        .into_iter()
        .find(|check| check["name"] == name)
        .ok_or_else(|| failed(format!("the check {name}"), report.to_string()))
}

/// All checks pass or are skipped after a fresh `hearthnet init`.
pub(super) fn fresh_init(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let ran = home.hearthnet(&["doctor"])?.exits(0)?;
    for name in NAMES {
        contains("the report", &ran.stdout, name)?;
    }
    ensure(!ran.stdout.contains('\u{1b}'), "no colour where there is no terminal", &ran.stdout)?;
    home.hearthnet(&["doctor", "--offline"])?.exits(0).map(drop)
}

/// Beside a running node, the doctor knows the port as the node's own and asks the bus for its capabilities.
pub(super) fn running_node(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let port = free_port();
    home.configure("transport", "port", i64::from(port))?;
    let node = Node::start_on(home, port)?;
    node.home().hearthnet(&["doctor"])?.exits(0)?;
    let report = report(node.home(), &[])?;
    for name in ["transport_port", "at_least_one_capability", "event_log_writable", "keys_present"] {
        equal(&format!("the status of {name}"), &check(&report, name)?["status"], "pass")?;
    }
    Ok(())
}

pub(super) fn readable_key(lab: &Lab) -> Outcome {
    let home = fresh(lab)?;
    let set_mode =
        |mode: u32| std::fs::set_permissions(home.key_file(), std::fs::Permissions::from_mode(mode));
    for mode in [0o644, 0o640] {
        set_mode(mode)?;
        let ran = home.hearthnet(&["doctor"])?.exits(1)?;
        contains("the report", &ran.stdout, "keys_present")?;
        contains("the report", &ran.stdout, "fix:")?;
        contains("the report", &ran.stdout, "chmod 600")?;
    }
    for mode in [0o600, 0o400] {
        set_mode(mode)?;
        home.hearthnet(&["doctor"])?.exits(0)?;
    }
    Ok(())
}

/// The JSON report has a version, summary counts and all checks in their order.
pub(super) fn json_form(lab: &Lab) -> Outcome {
    let report = report(&fresh(lab)?, &[])?;
    ensure(report["schema"].is_u64(), "a schema version", &report)?;
    let checks = report["checks"].as_array().ok_or_else(|| failed("a list of checks", report.to_string()))?;
    let names: Vec<_> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    equal("the checks", names, NAMES.to_vec())?;
    for check in checks {
        let status = check["status"].as_str().unwrap_or_default();
        ensure(["pass", "warn", "fail", "skip", "error"].contains(&status), "a status", check)?;
        equal("ok goes with the status", check["ok"].as_bool(), Some(!["fail", "error"].contains(&status)))?;
        for key in ["category", "detail"] {
            ensure(
                check[key].as_str().is_some_and(|text| !text.is_empty()),
                &format!("a text {key}"),
                check,
            )?;
        }
        ensure(check["duration_ms"].is_number(), "duration_ms", check)?;
        for key in ["fix", "evidence", "skip_reason", "caused_by"] {
            ensure(check.get(key).is_some(), &format!("a member {key}"), check)?;
        }
        equal(
            "a skip reason stands with a skipped check",
            check["skip_reason"].is_string(),
            status == "skip",
        )?;
    }
    let summary = report["summary"].as_object().ok_or_else(|| failed("a summary", report.to_string()))?;
    let counted: u64 = summary.values().filter_map(Value::as_u64).sum();
    ensure(counted >= NAMES.len() as u64, "a summary that counts all checks", summary)
}

/// Text and JSON have the same verdicts.
pub(super) fn text_and_json(lab: &Lab) -> Outcome {
    let home = fresh(lab)?;
    std::fs::write(home.key_file(), [1; 33])?;
    let report = report(&home, &[])?;
    let text = home.hearthnet(&["doctor"])?.exits(1)?.stdout;
    for name in NAMES {
        let line = text
            .lines()
            .find(|line| line.contains(name))
            .ok_or_else(|| failed(format!("a line of {name}"), &text))?;
        let status = check(&report, name)?["status"].as_str().unwrap_or_default();
        let mark = match status {
            "pass" => '✔',
            "skip" => '-',
            "warn" => '!',
            _ => '✘',
        };
        ensure(line.trim_start().starts_with(mark), &format!("the mark {mark} ({status})"), line)?;
    }
    Ok(())
}

pub(super) fn one_check(lab: &Lab) -> Outcome {
    let home = fresh(lab)?;
    let ran = home.hearthnet(&["doctor", "--check", "disk_space"])?.exits(0)?;
    contains("the report", &ran.stdout, "disk_space")?;
    ensure(!ran.stdout.contains("mdns_socket"), "the one check alone", &ran.stdout)
}

pub(super) fn unknown_check(lab: &Lab) -> Outcome {
    let ran = fresh(lab)?.hearthnet(&["doctor", "--check", "nosuch"])?.exits(2)?;
    contains("the error", &ran.stderr, "nosuch")?;
    NAMES.iter().try_for_each(|name| contains("the error", &ran.stderr, name))
}

/// A fault, the check that finds it, and a word of the check's detail.
type Fault = (&'static str, &'static str, fn(&Home) -> Outcome);

const FAULTS: [Fault; 6] = [
    ("keys_present", "", |home| Ok(std::fs::remove_file(home.key_file())?)),
    ("keys_loadable", "33", |home| Ok(std::fs::write(home.key_file(), [1; 33])?)),
    ("keys_loadable", "device.pub", |home| {
        Ok(std::fs::write(home.key_file().with_extension("pub"), [1; 32])?)
    }),
    ("community_present", "", |home| Ok(std::fs::remove_file(community(home)?.join("manifest.json"))?)),
    ("event_log_writable", "", |home| {
        Ok(std::fs::write(community(home)?.join("events.sqlite"), "no database")?)
    }),
    ("llm_backend_reachable", "", |home| {
        let mut backend = toml::Table::new();
        let url = format!("http://127.0.0.1:{}", free_port());
        for (key, value) in [("name", "ollama"), ("url", url.as_str()), ("model", "tiny")] {
            backend.insert(key.to_owned(), value.into());
        }
        home.configure("llm", "backends", vec![toml::Value::Table(backend)])
    }),
];

fn community(home: &Home) -> Outcome<std::path::PathBuf> {
    let mut communities = std::fs::read_dir(home.data_dir().join("communities"))?;
    Ok(communities.next().ok_or_else(|| failed("a community", "none"))??.path())
}

/// Each fault, and a port of another program, is found by its own check, with a fix.
pub(super) fn faults(lab: &Lab) -> Outcome {
    for (name, detail, make) in FAULTS {
        let home = fresh(lab)?;
        make(&home)?;
        let ran = home.hearthnet(&["doctor", "--json"])?.exits(1)?;
        let report = strict_json::parse(&ran.stdout).map_err(|err| failed("JSON", err))?;
        fails_with_a_fix(check(&report, name)?, detail)?;
    }
    let home = fresh(lab)?;
    let stranger = TcpListener::bind(("0.0.0.0", 0))?;
    home.configure("transport", "port", i64::from(stranger.local_addr()?.port()))?;
    let report = report(&home, &[])?;
    fails_with_a_fix(check(&report, "transport_port")?, &stranger.local_addr()?.port().to_string())
}

fn fails_with_a_fix(check: &Value, detail: &str) -> Outcome {
    equal("the status", &check["status"], "fail").map_err(|stop| stop.at(&check.to_string()))?;
    contains("the detail", check["detail"].as_str().unwrap_or_default(), detail)?;
    ensure(check["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "a fix", check)
}

/// No output contains the key or the password of an address.
pub(super) fn no_secret(lab: &Lab) -> Outcome {
    use base64::Engine as _;
    let home = fresh(lab)?;
    let mut backend = toml::Table::new();
    let url = format!("http://user:hunter2@127.0.0.1:{}", free_port());
    for (key, value) in [("name", "ollama"), ("url", url.as_str()), ("model", "tiny")] {
        backend.insert(key.to_owned(), value.into());
    }
    home.configure("llm", "backends", vec![toml::Value::Table(backend)])?;
    let seed = std::fs::read(home.key_file())?;
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let engines =
        [base64::engine::general_purpose::STANDARD_NO_PAD, base64::engine::general_purpose::URL_SAFE_NO_PAD];
    let secrets = engines.map(|engine| engine.encode(&seed)).into_iter().chain([hex, "hunter2".to_owned()]);
    let secrets: Vec<_> = secrets.collect();
    for args in [&["doctor"][..], &["doctor", "--json"], &["doctor", "-v"]] {
        let output = home.hearthnet(args)?.output();
        ensure(!secrets.iter().any(|secret| output.contains(secret)), "no secret", &output)?;
    }
    Ok(())
}
