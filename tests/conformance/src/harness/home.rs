//! Folders of one node, separate from every other node on the machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::case::{Outcome, failed};
use crate::harness::Lab;
use crate::harness::log_line::Line;
use crate::harness::process::{self, Ran};

/// Home folder with its `XDG_*` folders. Dropping it removes them.
pub(crate) struct Home {
    dir: TempDir,
    hearthnet: PathBuf,
}

impl Home {
    /// Creates an empty home.
    pub(crate) fn empty(lab: &Lab) -> Outcome<Self> {
        let dir = tempfile::Builder::new().prefix("hearthnet-").tempdir()?;
        Ok(Self { dir, hearthnet: lab.hearthnet()?.to_owned() })
    }

    /// Creates a home and runs `hearthnet init` in it.
    pub(crate) fn initialised(lab: &Lab) -> Outcome<Self> {
        let home = Self::empty(lab)?;
        home.hearthnet(&["init", "--non-interactive"])?.exits(0)?;
        Ok(home)
    }

    /// Runs the `hearthnet` command to its end.
    pub(crate) fn hearthnet(&self, args: &[&str]) -> Outcome<Ran> {
        process::run(self.command().args(args), b"", Duration::from_secs(30))
    }

    /// Returns the command for this home. Of this process's environment it gets `PATH` only.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.hearthnet);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.dir.path())
            .env("XDG_DATA_HOME", self.dir.path().join("data"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env("LANG", "C.UTF-8")
            .current_dir(self.dir.path());
        command
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data/hearthnet")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.data_dir().join("keys/device.ed25519")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join("config/hearthnet/config.toml")
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.dir.path().join("state/hearthnet/log")
    }

    /// Changes one value of the configuration file, `section.key`.
    pub(crate) fn configure(&self, section: &str, key: &str, value: impl Into<toml::Value>) -> Outcome {
        let mut config: toml::Table = std::fs::read_to_string(self.config_file())?.parse()?;
        let section = config.entry(section).or_insert_with(|| toml::Table::new().into());
        let table =
            section.as_table_mut().ok_or_else(|| failed("a section of config.toml", "a plain value"))?;
        table.insert(key.to_owned(), value.into());
        std::fs::write(self.config_file(), config.to_string())?;
        Ok(())
    }

    /// Turns off both limits on calls a second.
    pub(crate) fn without_rate_limit(&self) -> Outcome {
        self.configure("transport", "rate_limit_soft_rps", 0)?;
        self.configure("transport", "rate_limit_hard_rps", 0)
    }

    /// Returns the day files, oldest first.
    pub(crate) fn day_files(&self) -> Outcome<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.log_dir())? {
            let path = entry?.path();
            // `latest.log` is a link to one of them.
            if path.extension().is_some_and(|extension| extension == "log") && !path.is_symlink() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Returns every line of the day files. Fails on a line that is not of the specified form.
    pub(crate) fn log_lines(&self) -> Outcome<Vec<Line>> {
        let mut lines = Vec::new();
        for file in self.day_files()? {
            let day = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = std::fs::read(&file)?;
            let text = String::from_utf8(bytes)?;
            if !text.is_empty() && !text.ends_with('\n') {
                return Err(failed(
                    "the day file ends in a line feed",
                    text.lines().last().unwrap_or_default(),
                ));
            }
            for text in text.lines() {
                lines.push(Line::parse(text, Some(&day)).map_err(|fault| failed(fault, text))?);
            }
        }
        Ok(lines)
    }
}
