//! Rendering of a line for people.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use anstyle::{AnsiColor, Color, Style};
use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};

use crate::backtrace::{Draft, Unresolved};
use crate::config::redactor::{REDACTED, Redactor};
use crate::console::visible::{MAX_LINE_BYTES, Visible, show_text};
use crate::json::catch::{PANICKED, caught};
use crate::json::float::may_be_f32;
use crate::json::serialize::Nested;
use crate::json::text::line_buf::{INTACT_BYTES, LineBuf};
use crate::json::text::truncate::write_shortened;
use crate::json::timestamp::Stamper;

/// Returns the draft at the end of `line`, unless it was cut or hidden.
pub(super) fn draft_in(line: &str, trace: &Arc<Unresolved>) -> Option<Draft> {
    let mut text = String::new();
    show_text(&mut text, trace.draft());
    let before = line.strip_suffix('\n')?.strip_suffix(&text)?.len();
    Some(Draft::at(trace, before..before + text.len()))
}

/// Returns the line with symbols instead of the draft.
pub(super) fn completed(draft: &Draft, line: &[u8]) -> String {
    let ([before, _], symbols) = draft.parts(line);
    let mut line = String::from_utf8_lossy(before).into_owned();
    show_text(&mut line, &symbols);
    truncate(&mut line);
    line.push('\n');
    line
}

/// Renders a line with its newline.
pub(super) fn render(nanos: i64, name: &str, record: &Record<'_>, redact: &Redactor, colour: bool) -> String {
    let paint = |style: Style| if colour { style } else { Style::new() };
    let dim = paint(Style::new().dimmed());
    let level = paint(style_of(record.level()));
    let mut line = String::new();
    // The console is not a hot path, so it allocates.
    let name = name.replace("::", ".");
    let time = Stamper::default().time_of_day(nanos);
    let _ = write!(line, "{dim}{time}{dim:#} {level}{:<5}{level:#} {dim}", record.level());
    show_text(&mut line, &name);
    let _ = write!(line, "{dim:#}  ");
    show_value(&mut line, record.args());
    let fields_start = line.len();
    let fields = record.key_values();
    // If the source fails or panics, the line has the fields before that.
    let _ = caught(|| fields.visit(&mut Fields { line: &mut line, redact, key: dim }));
    if line.len() > fields_start {
        line.insert(fields_start, ' ');
    }
    truncate(&mut line);
    line.push('\n');
    line
}

fn style_of(level: Level) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(Color::Ansi(colour)));
    match level {
        Level::Error => colour(AnsiColor::Red).bold(),
        Level::Warn => colour(AnsiColor::Yellow),
        Level::Info => colour(AnsiColor::Green),
        Level::Debug => colour(AnsiColor::Blue),
        Level::Trace => Style::new().dimmed(),
    }
}

struct Fields<'a> {
    line: &'a mut String,
    redact: &'a Redactor,
    key: Style,
}

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let name = key.as_str().strip_prefix("r#").unwrap_or(key.as_str());
        let style = self.key;
        let _ = write!(self.line, " {style}");
        show_text(self.line, name);
        let _ = write!(self.line, "={style:#}");
        if self.redact.hides(name) {
            self.line.push_str(REDACTED);
            return Ok(());
        }
        value.visit(Shown { line: self.line, value: &value, redact: self.redact })
    }
}

/// Visitor that shows a value. A nested value is shown as JSON, with hidden names redacted. Any other is shown as its text.
struct Shown<'a> {
    line: &'a mut String,
    /// Value that is being visited.
    value: &'a Value<'a>,
    redact: &'a Redactor,
}

impl Shown<'_> {
    /// Returns the number as its own `Serialize` writes it, which tells an `f32` from an `f64`.
    fn rewritten(&self) -> Option<f64> {
        let written = caught(|| {
            let mut json = LineBuf::default();
            Nested::default().write(&mut json, self.value, self.redact);
            json
        });
        str::from_utf8(&written?).ok()?.parse().ok()
    }
}

impl<'v> VisitValue<'v> for Shown<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        let written = caught(|| {
            let mut json = LineBuf::default();
            Nested::default().write(&mut json, &value, self.redact);
            if json.missing() == 0 {
                return json;
            }
            // Cut as in the file, so that it reads as a string. It is still longer than the part that is shown.
            let mut short = LineBuf::default();
            write_shortened(
                &mut short,
                &json[..INTACT_BYTES],
                json.len() + json.missing() - INTACT_BYTES,
                INTACT_BYTES,
            );
            short
        });
        let Some(json) = written else {
            self.line.push_str(PANICKED);
            return Ok(());
        };
        match serde_json::from_slice::<String>(&json) {
            Ok(text) => show_text(self.line, &text),
            Err(_) => show_text(self.line, &String::from_utf8_lossy(&json)),
        }
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        let number = if may_be_f32(value, usize::MAX) { self.rewritten() } else { None };
        show_value(self.line, &number.unwrap_or(value));
        Ok(())
    }
}

/// Appends the text of a `Display`. A panic in it ends the text.
fn show_value(line: &mut String, value: &dyn Display) {
    let shown = caught(|| {
        let _ = write!(Visible(line), "{value}");
    });
    if shown.is_none() {
        line.push_str(PANICKED);
    }
}

fn truncate(line: &mut String) {
    if line.len() > MAX_LINE_BYTES {
        let end = (0..=MAX_LINE_BYTES).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::visible::is_unsafe;
    use crate::json::float::value_of;
    use std::fmt;

    const MOMENT: i64 = 1_779_783_262_281_000_000;

    fn record_line(message: fmt::Arguments<'_>, fields: &[(&str, &str)], colour: bool) -> String {
        let mut record = Record::builder();
        let record =
            record.level(Level::Warn).target("hearthnet::bus").key_values(&fields).args(message).build();
        render(MOMENT, record.target(), &record, &Redactor::new(&["password".to_owned()]), colour)
    }

    #[test]
    fn a_line_has_time_level_name_message_and_fields() {
        let line =
            record_line(format_args!("peer is quarantined"), &[("node", "7H4G"), ("password", "x")], false);
        assert_eq!(
            line,
            "08:14:22.281 WARN  hearthnet.bus  peer is quarantined  node=7H4G password=[redacted]\n"
        );
        assert_eq!(
            record_line(format_args!("alone"), &[], false),
            "08:14:22.281 WARN  hearthnet.bus  alone\n"
        );
    }

    #[test]
    fn terminal_escapes_are_shown_and_not_obeyed() {
        let evil = "\u{1b}]0;owned\u{7} \u{9b}31m\n\r\u{202e}";
        let line = record_line(format_args!("{evil}"), &[("k\u{1b}", evil)], false);
        assert!(!line.trim_end_matches('\n').contains(is_unsafe), "{line:?}");
        assert!(line.contains("\\u{1b}]0;owned"));
    }

    #[test]
    fn hidden_names_in_a_nested_value_are_redacted() {
        let login = serde_json::json!({"user": "a\u{1b}", "password": "hunter2", "tries": [1, 2.5]});
        let fields = [
            ("login", Value::from_serde(&login)),
            ("debug", Value::from_debug(&"quoted")),
            ("shown", Value::from_display(&"plain")),
            ("large", Value::from(u64::MAX)),
            ("real", Value::from(f64::NAN)),
            ("none", Value::null()),
        ];
        let fields = &fields.as_slice();
        let mut record = Record::builder();
        let record = record.key_values(fields).args(format_args!("m")).build();
        let line = render(MOMENT, "x", &record, &Redactor::new(&["password".to_owned()]), false);
        let expected = "  login={\"password\":\"[redacted]\",\"tries\":[1,2.5],\"user\":\"a\\u001b\"} \
                        debug=\"quoted\" shown=plain large=18446744073709551615 real=NaN none=null\n";
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn an_f32_has_its_own_shortest_text() {
        let fields = [
            ("plain", value_of(&0.1_f32)),
            ("serde", Value::from_serde(&Some(0.1_f32))),
            ("list", Value::from_serde(&[0.1_f32])),
            ("wide", Value::from(f64::from(0.1_f32))),
        ];
        let fields = &fields.as_slice();
        let mut record = Record::builder();
        let record = record.key_values(fields).args(format_args!("m")).build();
        let line = render(MOMENT, "x", &record, &Redactor::default(), false);
        assert!(line.ends_with("  plain=0.1 serde=0.1 list=[0.1] wide=0.10000000149011612\n"), "{line}");
    }

    #[test]
    fn colour_is_used_only_when_asked_for() {
        assert!(record_line(format_args!("x"), &[], true).contains("\u{1b}[33m"));
        assert!(!record_line(format_args!("x"), &[], false).contains('\u{1b}'));
    }

    #[test]
    fn a_very_long_line_ends_in_an_ellipsis() {
        let line = record_line(format_args!("{}", "ü".repeat(20_000)), &[], false);
        assert!(line.len() < MAX_LINE_BYTES + 8 && line.ends_with("…\n"));
    }
}
