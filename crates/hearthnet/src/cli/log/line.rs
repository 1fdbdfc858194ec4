//! Line of a day file: parser and renderer.

use std::fmt::{self, Write};

use clap::ValueEnum;
use obs_facade::doctor::render::TextStyle;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::time::{self, Zone};
use crate::cli::visible::{push_visible, short_id, visible};
use obs_facade::log::reader::LineTime;

/// Width of the column of loggers.
const LOGGER_WIDTH: usize = 14;
/// Number of characters shown of the start of a trace ID. `--json` has all of it.
const ID_HEAD: usize = 6;
/// Number of bytes that most lines have at most.
const USUAL_LENGTH: usize = 256;
/// Code of a terminal for dim text.
const DIM: Option<&str> = Some("2");
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
        let mut out = String::with_capacity(USUAL_LENGTH);
        paint.add(&mut out, DIM, |out| out.push_str(&time::shown(self.time, paint.zone)));
        out.push(' ');
        paint.add(&mut out, paint.level(self.level), |out| out.push_str(self.level.label()));
        out.push(' ');
        let logger = self.logger.strip_prefix("hearthnet.").unwrap_or(&self.logger);
        paint.add(&mut out, DIM, |out| push_column(out, logger, LOGGER_WIDTH));
        out.push(' ');
        paint.add(&mut out, paint.text(), |out| push_visible(out, &self.msg));
        for (at, (key, value)) in self.fields.iter().enumerate() {
            out.push_str(field_gap(at));
            paint.add(&mut out, DIM, |out| {
                push_visible(out, key);
                out.push('=');
            });
            paint.add(&mut out, paint.text(), |out| push_value(out, value));
        }
        if let Some(id) = &self.trace_id {
            out.push_str("  ");
            paint.add(&mut out, DIM, |out| out.push_str(&short_id(id, ID_HEAD, paint.ellipsis)));
        }
        out
    }
}

/// Appends a text, and blanks up to the width of its column.
fn push_column(out: &mut String, text: &str, width: usize) {
    let start = out.len();
    push_visible(out, text);
    let used = out[start..].chars().count();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
}

/// Returns the blanks before the field at this index.
fn field_gap(at: usize) -> &'static str {
    if at == 0 { "  " } else { " " }
}

/// Renders a string without its quotes, and any other value as JSON.
fn shown_value(value: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, value);
    out
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => push_visible(out, text),
        Value::Array(_) | Value::Object(_) => push_visible(out, &value.to_string()),
        // Numbers, true, false and null are ASCII. Writing to a string does not fail.
        plain => drop(write!(out, "{plain}")),
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
        self.with(DIM, text)
    }

    pub(crate) fn damaged(self, text: &str) -> String {
        self.with(Some("31"), text)
    }

    /// Returns the code of plain text.
    fn text(self) -> Option<&'static str> {
        DIM.filter(|_| self.is_dim)
    }

    fn level(self, level: Level) -> Option<&'static str> {
        match level {
            _ if self.is_dim => DIM,
            Level::Error => Some("1;31"),
            Level::Warning => Some("33"),
            Level::Info => Some("32"),
            Level::Debug => Some("34"),
            Level::Trace => DIM,
        }
    }

    /// Appends what `text` appends, in the colour of the code.
    fn add(self, out: &mut String, code: Option<&str>, text: impl FnOnce(&mut String)) {
        let Some(code) = code.filter(|_| self.coloured) else { return text(out) };
        out.push_str("\x1b[");
        out.push_str(code);
        out.push('m');
        text(out);
        out.push_str("\x1b[0m");
    }

    fn with(self, code: Option<&str>, text: &str) -> String {
        let mut out = String::new();
        self.add(&mut out, code, |out| out.push_str(text));
        out
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
