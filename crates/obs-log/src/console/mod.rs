//! Lines for people, on stderr (L11).
//!
//! ```text
//! 08:14:22.281 WARN  hearthnet.bus.router  peer is quarantined  node=7H4G-Y9KL suppressed=41
//! ```
//!
//! They have a queue and a thread of their own, because a terminal can stand still for as long as somebody holds it.

use std::fmt::{self, Display, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Color, Style};
use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};

use crate::api::secret::{REDACTED, Redactor};
use crate::backtrace::{Draft, Unresolved};
use crate::clock::Clock;
use crate::journal::arena::Arena;
use crate::json::PANICKED;
use crate::json::catch::caught;
use crate::json::float::may_be_single;
use crate::json::line_buf::{Buffer, WHOLE};
use crate::json::serialize::Nested;
use crate::json::timestamp::Stamper;
use crate::json::truncate;
use crate::process::at_exit;
use crate::queue::Batch;
use crate::queue::backlog::{Backlog, Run};

const QUEUE_BYTES: usize = 2 << 20;
const LONGEST_LINE: usize = 16 << 10;
const IDLE: Duration = Duration::from_secs(3600);

/// The queue to stderr.
#[derive(Debug)]
pub(crate) struct Terminal {
    batch: Arc<Batch>,
    colour: bool,
}

impl Terminal {
    /// Starts the thread that writes to stderr.
    pub(crate) fn start() -> io::Result<Terminal> {
        let batch = Arc::new(Batch::new(Arena::in_memory(QUEUE_BYTES)?));
        let theirs = Arc::clone(&batch);
        thread::Builder::new().name("obs-log-console".to_owned()).spawn(move || show(&theirs))?;
        Ok(Terminal { batch, colour: wants_colour() })
    }

    pub(crate) fn accept(
        &self,
        name: &str,
        record: &Record<'_>,
        redact: &Redactor,
        trace: Option<&Arc<Unresolved>>,
    ) {
        let nanos = Clock::System.now();
        let render = |record: &Record<'_>| render(nanos, name, record, redact, self.colour);
        let line = match trace {
            None => render(record),
            Some(trace) => trace.with_draft(record, render),
        };
        if at_exit::in_forked_child() {
            return;
        }
        // What a terminal that stands still cannot take is left out; it is in the file.
        let draft = trace.and_then(|trace| draft_in(&line, trace));
        self.batch.append_draft(0, record.level(), nanos, line.as_bytes(), draft, Duration::ZERO);
    }

    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        !at_exit::in_forked_child() && self.batch.wake.flush(&self.batch, deadline)
    }
}

/// Whether people look at stderr.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

fn wants_colour() -> bool {
    is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn show(batch: &Batch) {
    at_exit::block_signals();
    let mut backlog = Backlog::default();
    let mut run = Run::default();
    let mut text = Vec::new();
    loop {
        let turn = batch.wake.next_turn(batch, Duration::ZERO, IDLE);
        backlog.take_from(batch);
        while backlog.next_run(&mut run) {
            text.clear();
            match backlog.draft(&run) {
                Some((draft, line)) => text.extend_from_slice(completed(draft, line).as_bytes()),
                None => backlog.bytes(&run).for_each(|line| text.extend_from_slice(line)),
            }
            backlog.retire(&run, run.bytes);
            backlog.recycle(batch);
            // There is nowhere to say that stderr fails.
            let _ = io::stderr().write_all(&text);
        }
        batch.wake.end_turn(turn, true);
    }
}

/// The draft at the end of `line`, unless it was cut or hidden.
fn draft_in(line: &str, trace: &Arc<Unresolved>) -> Option<Draft> {
    let mut text = String::new();
    show_text(&mut text, trace.draft());
    let before = line.strip_suffix('\n')?.strip_suffix(&text)?.len();
    Some(Draft::at(trace, before..before + text.len()))
}

/// The line with symbols instead of the draft.
fn completed(draft: &Draft, line: &[u8]) -> String {
    let ([before, _], symbols) = draft.parts(line);
    let mut line = String::from_utf8_lossy(before).into_owned();
    show_text(&mut line, &symbols);
    truncate(&mut line);
    line.push('\n');
    line
}

/// One line, newline included.
fn render(nanos: i64, name: &str, record: &Record<'_>, redact: &Redactor, colour: bool) -> String {
    let paint = |style: Style| if colour { style } else { Style::new() };
    let dim = paint(Style::new().dimmed());
    let level = paint(style_of(record.level()));
    let mut line = String::new();
    let name = name.replace("::", ".");
    let time = Stamper::default().time_of_day(nanos);
    let _ = write!(line, "{dim}{time}{dim:#} {level}{:<5}{level:#} {dim}", record.level());
    show_text(&mut line, &name);
    let _ = write!(line, "{dim:#}  ");
    show_value(&mut line, record.args());
    let fields_start = line.len();
    let fields = record.key_values();
    // A source that fails or panics ends there.
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

/// Shows a value: what has parts as JSON, in which hidden names are hidden too (L12), everything else as its text.
struct Shown<'a> {
    line: &'a mut String,
    /// The value that is being visited.
    value: &'a Value<'a>,
    redact: &'a Redactor,
}

impl Shown<'_> {
    /// The number as its own code writes it, which knows an `f32`.
    fn rewritten(&self) -> Option<f64> {
        let written = caught(|| {
            let mut json = Buffer::default();
            Nested::default().write(&mut json, self.value, self.redact);
            json
        });
        str::from_utf8(&written?).ok()?.parse().ok()
    }
}

impl<'v> VisitValue<'v> for Shown<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        let written = caught(|| {
            let mut json = Buffer::default();
            Nested::default().write(&mut json, &value, self.redact);
            if json.missing() == 0 {
                return json;
            }
            // As in the file: it is cut so that it reads as a text, and is still longer than what is shown.
            let mut short = Buffer::default();
            truncate::write_shortened(&mut short, &json[..WHOLE], json.len() + json.missing() - WHOLE, WHOLE);
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
        let number = if may_be_single(value, usize::MAX) { self.rewritten() } else { None };
        show_value(self.line, &number.unwrap_or(value));
        Ok(())
    }
}

/// Appends what a `Display` writes; a panic in it ends the text.
fn show_value(line: &mut String, value: &dyn Display) {
    let shown = caught(|| {
        let _ = write!(Visible(line), "{value}");
    });
    if shown.is_none() {
        line.push_str(PANICKED);
    }
}

struct Visible<'a>(&'a mut String);

impl fmt::Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        show_text(self.0, text);
        Ok(())
    }
}

/// Appends `text` with its control characters, and those that turn the direction of writing, as escapes: a terminal
/// obeys them otherwise.
fn show_text(line: &mut String, text: &str) {
    for letter in text.chars() {
        // What is longer is not shown.
        if line.len() > LONGEST_LINE {
            return;
        }
        let turns =
            matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
}

fn truncate(line: &mut String) {
    if line.len() > LONGEST_LINE {
        let end = (0..=LONGEST_LINE).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::float::Field;
    use log::kv::ToValue as _;

    const MOMENT: i64 = 1_779_783_262_281_000_000;

    fn record_line(message: fmt::Arguments<'_>, fields: &[(&str, &str)], colour: bool) -> String {
        let mut record = Record::builder();
        let record =
            record.level(Level::Warn).target("hearthnet::bus").key_values(&fields).args(message).build();
        render(MOMENT, record.target(), &record, &Redactor::new(&["password".to_owned()]), colour)
    }

    #[test]
    fn l11_reads_like_a_sentence() {
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
    fn l11_terminal_escapes_are_shown_not_obeyed() {
        let evil = "\u{1b}]0;owned\u{7} \u{9b}31m\n\r\u{202e}";
        let line = record_line(format_args!("{evil}"), &[("k\u{1b}", evil)], false);
        assert!(
            !line.trim_end_matches('\n').contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{line:?}"
        );
        assert!(line.contains("\\u{1b}]0;owned"));
    }

    #[test]
    fn l12_what_a_nested_value_hides_is_hidden_here_too() {
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
            ("plain", Field(&0.1_f32).to_value()),
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
    fn l11_colour_only_when_asked() {
        assert!(record_line(format_args!("x"), &[], true).contains("\u{1b}[33m"));
        assert!(!record_line(format_args!("x"), &[], false).contains('\u{1b}'));
    }

    #[test]
    fn a_very_long_line_ends_in_dots() {
        let line = record_line(format_args!("{}", "ü".repeat(20_000)), &[], false);
        assert!(line.len() < LONGEST_LINE + 8 && line.ends_with("…\n"));
    }
}
