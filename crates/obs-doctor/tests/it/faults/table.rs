//! Rows of the table, in words that are the same on every machine.

use std::fmt::Write as _;
use std::fs;

use obs_doctor::{CheckResult, Status};
use serde_json::Value;

use crate::child;
use crate::home::{Home, id_of, node_id};

/// Rows in order.
#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Whether a row could not be made on this machine.
    pub(super) missing: bool,
}

pub(super) struct Row {
    pub(super) check: String,
    fault: String,
    pub(super) verdict: &'static str,
    pub(super) detail: String,
    pub(super) fix: String,
}

impl Table {
    pub(super) fn add(&mut self, home: &Home, fault: &str, result: &CheckResult) {
        assert!(matches!(result.status, Status::Fail | Status::Warn | Status::Error), "{fault}: {result:?}");
        self.rows.push(Row {
            check: result.name.clone(),
            fault: fault.to_owned(),
            verdict: result.status.as_str(),
            detail: general(home, &result.detail),
            fix: general(home, result.fix.as_deref().unwrap_or_default()),
        });
    }

    /// Adds a row from the report of another process, if that could be started.
    pub(super) fn add_json(&mut self, home: &Home, fault: &str, name: &str, report: Option<&Value>) {
        match report {
            Some(report) => {
                let result: CheckResult = serde_json::from_value(child::check(report, name).clone()).unwrap();
                self.add(home, fault, &result);
            }
            None => self.missing = true,
        }
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::from(
            "# Faults, and the doctor's line and fix for each\n\nA test makes each of these faults and compares the \
             doctor's words with this table.\n",
        );
        let mut check = "";
        for row in &self.rows {
            if row.check != check {
                check = &row.check;
                write!(text, "\n## `{check}`\n\n| fault | verdict | detail | fix |\n|---|---|---|---|\n")
                    .unwrap();
            }
            writeln!(text, "{row}").unwrap();
        }
        text
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "| {} | {} | {} | {} |", self.fault, self.verdict, self.detail, self.fix)
    }
}

/// Returns `text` as a usual node shows it, without the folders, ports and processes of this run.
fn general(home: &Home, text: &str) -> String {
    let user = std::env::var("HOME").unwrap_or_default();
    let without_user = |text: String| match user.len() {
        0..=1 => text,
        _ => text.replace("~/", &format!("{user}/")),
    };
    without_user(with_nginx_for_us(text))
        .replace(&home.config.data_dir.display().to_string(), "~/.local/share/hearthnet")
        .replace(&home.root().display().to_string(), "~")
        .replace(&node_id(), "ed25519:our…")
        .replace(&id_of(&[9; 32]), "ed25519:another…")
        .replace(&format!("key belongs to uid {}", uid()), "key belongs to uid 1000")
        .replace(&format!("port {}", home.config.port), "port 7080")
        .replace(&format!(":{}", home.config.port), ":7080")
        .replace(&format!("port {}", home.config.udp_port), "port 42424")
        .replace(&format!(":{}", home.config.udp_port), ":42424")
}

/// Replaces the name of this program, which has the port, by nginx.
fn with_nginx_for_us(text: &str) -> String {
    let name = fs::read_to_string(format!("/proc/{}/comm", std::process::id())).unwrap_or_default();
    let Some((before, rest)) = text.split_once(&format!("{} (pid ", name.trim_end())) else {
        return text.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = after.strip_prefix(&format!(", uid {})", uid())).unwrap_or(after);
    format!("{before}nginx (pid 812, uid 33){after}")
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
