//! What the figures of a run depend on, apart from the peers' versions.

use std::env;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// Variable with the last commit that changed the measured code, which `cargo xtask bench` sets.
const COMMIT: &str = "OBSERVABILITY_BENCH_COMMIT";

/// Machine, compiler and code of a run.
#[derive(Clone, PartialEq)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    pub(crate) model: String,
    pub(crate) system: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
}

impl Machine {
    /// Returns this machine, with the compiler of the folder in which the program runs.
    pub(crate) fn here() -> Machine {
        let unknown = || "unknown".to_owned();
        Machine {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            model: model(),
            system: said("uname", &["-sr"]).unwrap_or_else(unknown),
            rustc: said("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: env::var(COMMIT).unwrap_or_else(|_| unknown()),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "processors": self.processors,
            "model": self.model,
            "system": self.system,
            "rustc": self.rustc,
            "commit": self.commit,
        })
    }

    /// Returns `None` if a field is missing.
    pub(crate) fn from_json(value: &Value) -> Option<Machine> {
        let text = |key: &str| Some(value[key].as_str()?.to_owned());
        Some(Machine {
            processors: usize::try_from(value["processors"].as_u64()?).ok()?,
            model: text("model")?,
            system: text("system")?,
            rustc: text("rustc")?,
            commit: text("commit")?,
        })
    }
}

fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// Returns the line that a program prints.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|said| !said.is_empty())
}
