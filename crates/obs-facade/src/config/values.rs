//! Values of the section that a program asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::{ObservabilityConfig, ROUTINE_SECONDS};
use crate::console_access::ConsoleAccess;
use crate::log_console::LogConsole;

impl ObservabilityConfig {
    /// Returns the addresses that give the doctor the time; `None` for the default ones.
    #[must_use]
    pub fn clock_anchors(&self) -> Option<&[String]> {
        self.doctor_clock_anchors.as_deref()
    }

    /// Returns the interval at which a node runs its doctor; `None` for never.
    #[must_use]
    pub fn doctor_interval(&self) -> Option<Duration> {
        let seconds = self.doctor_interval_seconds.unwrap_or(ROUTINE_SECONDS);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Returns whether the interval of the doctor is the default. A node then leaves out the checks that send packets to
    /// other machines.
    #[must_use]
    pub fn is_doctor_routine(&self) -> bool {
        self.doctor_interval_seconds.is_none()
    }

    /// Returns whether `/doctor` answers callers on other machines too.
    #[must_use]
    pub fn is_doctor_remote(&self) -> bool {
        self.doctor_remote
    }

    /// Returns the folder of the day files; empty unless it was set.
    #[must_use]
    pub fn log_dir(&self) -> &std::path::Path {
        &self.log_dir
    }

    /// Returns whether a history is kept; `None` unless it was set.
    #[must_use]
    pub fn keeps_history(&self) -> Option<bool> {
        self.history
    }

    /// Returns the number of days that the history keeps.
    #[must_use]
    pub fn kept_days(&self) -> u32 {
        self.history_days
    }

    /// Returns the folder of the history, `history`: beside the folder of the day files if that is named `log`, else in it.
    #[must_use]
    pub fn history_dir(&self) -> PathBuf {
        // Beside it, so that the folder has day files alone. A folder of another name may be the only one that the process can
        // write, such as `/var/log/hearthnet` of a service.
        let beside = self.log_dir.parent().filter(|_| self.log_dir.ends_with("log"));
        beside.unwrap_or(&self.log_dir).join("history")
    }

    /// Returns the callers that the node's console answers.
    #[must_use]
    pub fn console_access(&self) -> ConsoleAccess {
        self.console.unwrap_or_default()
    }

    /// Returns the form of the log on stderr.
    #[must_use]
    pub fn console(&self) -> LogConsole {
        self.log_console
    }
}
