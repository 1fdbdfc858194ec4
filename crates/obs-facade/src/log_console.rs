//! The setting `log_console`.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Form of the log on stderr; in a configuration `false`, `true`, `"text"` or `"json"`.
///
/// ```
/// use obs_facade::{LogConsole, ObservabilityConfig};
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").log_console(LogConsole::Json);
/// let read: ObservabilityConfig = toml::from_str(r#"log_console = "json""#)?;
/// assert_eq!(read.console(), config.console());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogConsole {
    /// Nothing on stderr.
    #[default]
    Off,
    /// Lines for people.
    Text,
    /// Lines as JSON, for journald, `docker logs` and other collectors.
    Json,
}

/// `true` is [`LogConsole::Text`].
impl From<bool> for LogConsole {
    fn from(on: bool) -> Self {
        if on { LogConsole::Text } else { LogConsole::Off }
    }
}

impl<'de> Deserialize<'de> for LogConsole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Setting)
    }
}

struct Setting;

impl Visitor<'_> for Setting {
    type Value = LogConsole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("false, true, \"text\" or \"json\"")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<LogConsole, E> {
        Ok(on.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LogConsole, E> {
        match text {
            "text" => Ok(LogConsole::Text),
            "json" => Ok(LogConsole::Json),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{LogConsole, ObservabilityConfig};

    #[test]
    fn a_wrong_form_is_refused_with_what_is_allowed() {
        let read = |value: &str| toml::from_str::<ObservabilityConfig>(&format!("log_console = {value}"));
        for (value, expected) in [
            ("false", LogConsole::Off),
            ("true", LogConsole::Text),
            ("\"text\"", LogConsole::Text),
            ("\"json\"", LogConsole::Json),
        ] {
            assert_eq!(read(value).unwrap().console(), expected);
        }
        for bad in ["\"jsno\"", "1", "\"\"", "[]"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("log_console"), "{error}");
            assert!(error.contains("expected false, true, \"text\" or \"json\""), "{error}");
        }
    }
}
