//! A copy of `docs/operate` with the addresses of a trial.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::case::{Outcome, failed};
use crate::harness::{Lab, process};

/// Folder of the target files in the set-ups.
const TARGETS: &str = "/var/lib/hearthnet-targets";
const LIMIT: Duration = Duration::from_secs(30);

/// Copy whose waits are shortened by `alerts/quick.sed`, as the documentation shows. Dropping it removes the copy.
pub(super) struct Trial {
    dir: TempDir,
    quick: PathBuf,
    original: PathBuf,
}

impl Trial {
    pub(super) fn new(lab: &Lab) -> Outcome<Self> {
        let original = lab.root().join("docs/operate");
        let dir = tempfile::Builder::new().prefix("hearthnet-operate-").tempdir()?;
        for folder in ["alerts", "collect", "targets"] {
            std::fs::create_dir(dir.path().join(folder))?;
        }
        let trial = Self { dir, quick: original.join("alerts/quick.sed"), original };
        for rules in ["alerts/records.yml", "alerts/alerts.yml"] {
            trial.copy(rules, rules, &[])?;
        }
        Ok(trial)
    }

    /// Copies a file with other addresses, and returns the path of the copy. Each address must occur.
    pub(super) fn copy(&self, file: &str, to: &str, addresses: &[(&str, &str)]) -> Outcome<PathBuf> {
        let path = self.original.join(file);
        let mut sed = Command::new("sed");
        let quick =
            process::run(sed.arg("-E").arg("-f").arg(&self.quick).arg(&path), b"", LIMIT)?.exits(0)?;
        let mut text = quick.stdout.replace(TARGETS, &self.targets().to_string_lossy());
        for (address, other) in addresses {
            if !text.contains(address) {
                return Err(failed(format!("{address} in {file}"), text));
            }
            text = text.replace(address, other);
        }
        let copy = self.path().join(to);
        std::fs::write(&copy, text)?;
        Ok(copy)
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the folder of the target files.
    pub(super) fn targets(&self) -> PathBuf {
        self.path().join("targets")
    }
}
