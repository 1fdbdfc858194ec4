//! The setting `console`.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Callers that a node's console answers; in a configuration `"local"`, `"lan"` or `"off"`.
///
/// ```
/// use obs_facade::{ConsoleAccess, ObservabilityConfig};
///
/// let read: ObservabilityConfig = toml::from_str(r#"console = "off""#)?;
/// assert_eq!(read.console_access(), ConsoleAccess::Off);
/// assert_eq!(ObservabilityConfig::default().console_access(), ConsoleAccess::Local);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsoleAccess {
    /// Callers on this machine.
    #[default]
    Local,
    /// Callers of any machine with the token.
    Lan,
    /// None: there is no console.
    Off,
}

impl ConsoleAccess {
    /// Returns the word for it in a configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConsoleAccess::Local => "local",
            ConsoleAccess::Lan => "lan",
            ConsoleAccess::Off => "off",
        }
    }
}

#[cfg(feature = "console")]
impl From<ConsoleAccess> for obs_console::Mode {
    fn from(access: ConsoleAccess) -> Self {
        match access {
            ConsoleAccess::Local => obs_console::Mode::Local,
            ConsoleAccess::Lan => obs_console::Mode::Lan,
            ConsoleAccess::Off => obs_console::Mode::Off,
        }
    }
}

impl<'de> Deserialize<'de> for ConsoleAccess {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Setting)
    }
}

struct Setting;

impl Visitor<'_> for Setting {
    type Value = ConsoleAccess;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"local\", \"lan\" or \"off\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ConsoleAccess, E> {
        let all = [ConsoleAccess::Local, ConsoleAccess::Lan, ConsoleAccess::Off];
        let found = all.into_iter().find(|access| access.as_str() == text);
        found.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::{ConsoleAccess, ObservabilityConfig};

    #[test]
    fn a_wrong_access_is_refused_with_what_is_allowed() {
        let read = |value: &str| toml::from_str::<ObservabilityConfig>(&format!("console = {value}"));
        assert_eq!(read("\"off\"").unwrap().console_access(), ConsoleAccess::Off);
        for (value, expected) in [("\"local\"", ConsoleAccess::Local), ("\"lan\"", ConsoleAccess::Lan)] {
            let access = read(value).map(|config| config.console_access());
            assert_eq!(access.ok(), cfg!(feature = "console").then_some(expected));
        }
        for bad in ["\"lna\"", "\"LAN\"", "true", "1", "\"\"", "[]"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("console"), "{error}");
            assert!(error.contains("expected \"local\", \"lan\" or \"off\""), "{error}");
        }
        let refused = ObservabilityConfig::new("/tmp").console_for(ConsoleAccess::Lan).check_console();
        assert_eq!(refused.is_ok(), cfg!(feature = "console"));
        if let Err(error) = refused {
            assert_eq!(error.field(), "console");
            assert!(error.advice().contains("feature `console`"), "{error}");
        }
    }
}
