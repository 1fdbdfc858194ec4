//! Line of a day file: parser and renderer.

use std::fmt::{self, Write};

use clap::ValueEnum;
use obs_facade::doctor::render::TextStyle;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::time::{LineTime, Zone};
use crate::cli::visible::{short_id, visible};

/// Width of the column of loggers.
const LOGGER_WIDTH: usize = 14;
/// Number of characters shown of the start of a trace ID. `--json` has all of it.
const ID_HEAD: usize = 6;
/// Number of bytes shown of a damaged line.
const DAMAGED_SHOWN: usize = 120;

/// Levels of a line, in ascending order of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    Error,
}

impl Level {
    pub(crate) fn of(text: &[u8]) -> Option<Level> {
        Some(match text {
            b"trace" => Level::Trace,
            b"debug" => Level::Debug,
            b"info" => Level::Info,
            b"warning" => Level::Warning,
            b"error" => Level::Error,
            _ => return None,
        })
    }

    /// Returns the label that is shown.
    fn label(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO ",
            Level::Warning => "WARN ",
            Level::Error => "ERROR",
        }
    }

    /// Returns the name in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// Parts of a line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) time: LineTime,
    pub(crate) level: Level,
    pub(crate) logger: String,
    msg: String,
    pub(crate) trace_id: Option<String>,
    /// Fields in the order in which they were logged.
    fields: Vec<(String, Value)>,
}

impl Line {
    /// Parses a line. Returns `None` if it is damaged.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Line> {
        let Entries(mut entries) = serde_json::from_slice(bytes).ok()?;
        let mut text = |key: &str| {
            let at = entries.iter().position(|(name, value)| name == key && value.is_string())?;
            let (_, value) = entries.remove(at);
            value.as_str().map(str::to_owned)
        };
        Some(Line {
            time: LineTime::of(text("ts")?.as_bytes())?,
            level: Level::of(text("level")?.as_bytes())?,
            logger: text("logger")?,
            msg: text("msg")?,
            trace_id: text("trace_id"),
            fields: entries,
        })
    }

    /// Returns the value of a field, or of an entry that every line has, as it is shown.
    pub(crate) fn field(&self, key: &str) -> Option<String> {
        match key {
            "level" => Some(self.level.name().to_owned()),
            "logger" => Some(visible(&self.logger)),
            "msg" => Some(visible(&self.msg)),
            "trace_id" => self.trace_id.as_deref().map(visible),
            _ => self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| shown_value(value)),
        }
    }

    /// Returns the text that a search looks at: the logger, message, fields and trace ID as they are shown.
    pub(crate) fn searched(&self) -> String {
        let mut out = format!("{} {}", visible(&self.logger), visible(&self.msg));
        for (at, (key, value)) in self.fields.iter().enumerate() {
            let _ = write!(out, "{}{}={}", field_gap(at), visible(key), shown_value(value));
        }
        if let Some(id) = &self.trace_id {
            let _ = write!(out, "  {}", visible(id));
        }
        out
    }

    /// Renders `2026-05-26T10:14:22.281+02:00 WARN  bus.router     peer is quarantined  node=7H4G suppressed=41
    /// 01HXR3…K0JD`.
    pub(crate) fn pretty(&self, paint: Paint) -> String {
        let time = self.time.shown(paint.zone);
        let logger = visible(self.logger.strip_prefix("hearthnet.").unwrap_or(&self.logger));
        let logger = paint.dim(&format!("{logger:<LOGGER_WIDTH$}"));
        let mut out = format!(
            "{} {} {logger} {}",
            paint.dim(&time),
            paint.level(self.level),
            paint.text(&visible(&self.msg))
        );
        for (at, (key, value)) in self.fields.iter().enumerate() {
            let gap = field_gap(at);
            let _ = write!(
                out,
                "{gap}{}{}",
                paint.dim(&format!("{}=", visible(key))),
                paint.text(&shown_value(value))
            );
        }
        if let Some(id) = &self.trace_id {
            let _ = write!(out, "  {}", paint.dim(&short_id(id, ID_HEAD, paint.ellipsis)));
        }
        out
    }
}

/// Returns the blanks before the field at this index.
fn field_gap(at: usize) -> &'static str {
    if at == 0 { "  " } else { " " }
}

/// Renders a string without its quotes, and any other value as JSON.
fn shown_value(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

/// Describes a damaged line.
pub(crate) fn damaged(file: impl fmt::Display, bytes: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(DAMAGED_SHOWN)]);
    let more = if bytes.len() > DAMAGED_SHOWN { "…" } else { "" };
    format!("damaged line in {file}: {}{more}", visible(&beginning))
}

/// Colours, the zone of times, and the character for text that is cut off.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    coloured: bool,
    /// Whether the whole line is dim.
    is_dim: bool,
    ellipsis: char,
    zone: Zone,
}

impl Paint {
    pub(crate) fn new(style: &TextStyle, zone: Zone) -> Paint {
        Paint { coloured: style.color, is_dim: false, ellipsis: if style.ascii { '~' } else { '…' }, zone }
    }

    /// Returns the same for lines that are shown because of another one.
    pub(crate) fn dimmed(self) -> Paint {
        Paint { is_dim: true, ..self }
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn text(self, text: &str) -> String {
        if self.is_dim { self.dim(text) } else { text.to_owned() }
    }

    pub(crate) fn damaged(self, text: &str) -> String {
        self.with("31", text)
    }

    fn level(self, level: Level) -> String {
        match level {
            _ if self.is_dim => self.with("2", level.label()),
            Level::Error => self.with("1;31", level.label()),
            Level::Warning => self.with("33", level.label()),
            Level::Info => self.with("32", level.label()),
            Level::Debug => self.with("34", level.label()),
            Level::Trace => self.with("2", level.label()),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Entries of an object in their order, which `serde_json::Value` does not keep.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    const WARNING: &str = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"warning","logger":"hearthnet.bus.router","msg":"peer is quarantined","trace_id":"01HXR3F2M9Z5T1V8Q4W7N6K0JD","node":"7H4G-Y9KL","suppressed":41}"#;

    fn pretty(line: &str) -> String {
        Line::parse(line.as_bytes()).unwrap().pretty(Paint::new(&TextStyle::default(), Zone::Utc))
    }

    #[test]
    fn a_line_is_formatted_in_columns() {
        assert_eq!(
            pretty(WARNING),
            "2026-05-26T08:14:22.281Z WARN  bus.router     peer is quarantined  node=7H4G-Y9KL suppressed=41  01HXR3…K0JD"
        );
    }

    #[test]
    fn fields_keep_their_order_and_nested_values_their_form() {
        let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"other","msg":"m","z":{"a":[1,"x"]},"a":null}"#;
        assert_eq!(
            pretty(line),
            r#"2026-05-26T08:14:22.281Z INFO  other          m  z={"a":[1,"x"]} a=null"#
        );
    }

    #[test]
    fn unsafe_characters_are_shown_as_escapes() {
        for letter in UNSAFE {
            let escaped = format!("\\u{:04x}[2J\\n", u32::from(*letter));
            for part in ["hearthnet.bus", "quarantined", "7H4G", "01HXR3", "node", "suppressed"] {
                let line = pretty(&WARNING.replace(part, &escaped));
                assert!(!line.contains(*letter) && !line.contains('\n'), "{part} {letter:?}: {line:?}");
            }
            let shown = damaged("f", format!("a{letter}").as_bytes());
            assert!(!shown.contains(*letter), "{letter:?}");
        }
        assert!(pretty(&WARNING.replace("7H4G", "\\u001b[2J")).contains("node=\\u{1b}[2J"));
    }

    #[test]
    fn colours_are_optional() {
        let line = Line::parse(WARNING.as_bytes())
            .unwrap()
            .pretty(Paint::new(&TextStyle::default().color(true), Zone::Utc));
        assert!(line.contains("\x1b[33mWARN \x1b[0m"), "{line:?}");
    }

    #[test]
    fn damaged_lines_are_described() {
        let bad = [
            "",
            "{",
            "[]",
            "{}",
            "null",
            &WARNING[..50],
            &WARNING.replace("warning", "loud"),
            &WARNING.replace("2026-", "ü"),
        ];
        for line in bad {
            assert!(Line::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert_eq!(
            damaged("2026-05-26.log", b"{\"ts\x1b\xff"),
            "damaged line in 2026-05-26.log: {\"ts\\u{1b}\u{fffd}"
        );
        assert!(damaged("f", &[b'x'; 500]).ends_with("x…"));
    }
}
