//! Backtraces whose symbols are found after the call, by the thread that writes the line.
//!
//! The caller keeps the addresses of its stack and stages a *draft* of the line, which has the addresses as text. The writer
//! puts the text with symbols in their place when it writes the line. If the process is killed before that, the next start
//! writes the draft as it is. A text that is known already goes into the line at once, and there is no draft.

mod frames;

use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::Record;
use log::kv::Value;

use self::frames::Frames;
use crate::config::redactor::Redactor;
use crate::json::Encoder;
use crate::json::cache::names::NameSlot;
use crate::json::display::bounded_text;
use crate::json::escape::escape;
use crate::json::joined::Joined;
use crate::json::line_buf::LineBuf;
use crate::json::truncate;
use crate::limits::MAX_LINE_BYTES;
use crate::sync::lock;

/// Name of the field.
pub(crate) const KEY: &str = "backtrace";
/// Most backtraces a second: a peer may be able to provoke errors, and each costs the writer milliseconds.
const MOST_A_SECOND: u32 = 16;
/// Most backtraces that wait for their symbols, while the disk is full, say. Each takes some KiB beside its line.
const MOST_WAITING: usize = 256;
/// Most texts that are kept, and the longest of them, in bytes: at most 1 MiB together.
const MOST_KNOWN: usize = 32;
const LONGEST_KNOWN: usize = 32 << 10;
/// Longest text with symbols: a line must have room for the error and its causes too.
pub(crate) const LONGEST: usize = MAX_LINE_BYTES / 3;
/// Bytes that a line has left for the symbols, even if its fields are so long that they have to be cut.
const ROOM: usize = 16 << 10;
/// Beginning of the text that stands for symbols in a draft.
const DRAFT: &str = "[addresses only: the process ended before it had found the symbols]";

/// Backtraces that wait for their symbols.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Texts of stacks that were seen before; those that were used last come first.
static KNOWN: Mutex<VecDeque<(Frames, Arc<str>)>> = Mutex::new(VecDeque::new());

/// Answer to the question for the backtrace of a call.
pub(crate) enum Trace {
    /// The text is known, or says why there is none.
    Known(Arc<str>),
    Unresolved(Arc<Unresolved>),
}

/// A backtrace without its symbols.
#[derive(Debug)]
pub(crate) struct Unresolved {
    frames: Frames,
    backtrace: Backtrace,
    /// Text that stands for the symbols.
    draft: String,
}

/// The place of an unresolved backtrace in a line.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    trace: Arc<Unresolved>,
    /// Bytes of the text that the symbols replace.
    text: Range<usize>,
}

impl Trace {
    /// The backtrace of the calling thread.
    pub(crate) fn current() -> Trace {
        if !is_within_budget() {
            return Trace::Known(format!("[left out: more than {MOST_A_SECOND} in this second]").into());
        }
        let frames = Frames::current();
        if let Some(text) = known(&frames) {
            return Trace::Known(text);
        }
        if WAITING.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            WAITING.fetch_sub(1, Ordering::Relaxed);
            return Trace::Known(format!("[left out: {MOST_WAITING} others wait to be written]").into());
        }
        let draft = format!("{DRAFT}{frames}");
        // Symbols are looked up when it is displayed.
        Trace::Unresolved(Arc::new(Unresolved { frames, backtrace: Backtrace::force_capture(), draft }))
    }
}

fn is_within_budget() -> bool {
    static BUDGET: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let now = Instant::now();
    let mut budget = lock(&BUDGET);
    let (since, taken) =
        budget.filter(|(since, _)| now - *since < Duration::from_secs(1)).unwrap_or((now, 0));
    *budget = Some((since, taken.saturating_add(1)));
    taken < MOST_A_SECOND
}

fn known(frames: &Frames) -> Option<Arc<str>> {
    let mut known = lock(&KNOWN);
    let at = known.iter().position(|(of, _)| of == frames)?;
    let entry = known.remove(at)?;
    let text = Arc::clone(&entry.1);
    known.push_front(entry);
    Some(text)
}

fn remember(frames: &Frames, text: &Arc<str>) {
    if !frames.is_whole() || text.len() > LONGEST_KNOWN {
        return;
    }
    let mut known = lock(&KNOWN);
    if known.iter().all(|(of, _)| of != frames) {
        known.truncate(MOST_KNOWN - 1);
        known.push_front((frames.clone(), Arc::clone(text)));
    }
}

impl Unresolved {
    /// The text with symbols. Takes milliseconds, and the first time in a process a hundred.
    fn resolved(&self) -> Arc<str> {
        if let Some(text) = known(&self.frames) {
            return text;
        }
        let text = bounded_text(&self.backtrace, LONGEST).into();
        #[cfg(test)]
        lock(&tests::RESOLVED_BY).push(std::thread::current().id());
        remember(&self.frames, &text);
        text
    }

    /// Calls `take` with `record` and the draft behind its fields.
    pub(crate) fn with_draft<R>(&self, record: &Record<'_>, take: impl FnOnce(&Record<'_>) -> R) -> R {
        with_text(record, &self.draft, take)
    }

    pub(crate) fn draft(&self) -> &str {
        &self.draft
    }
}

/// Calls `take` with `record` and `text` as its last field.
pub(crate) fn with_text<R>(record: &Record<'_>, text: &str, take: impl FnOnce(&Record<'_>) -> R) -> R {
    let ours = [(KEY, Value::from(text))];
    let fields = Joined { first: &record.key_values(), then: &ours };
    take(&record.to_builder().key_values(&fields).build())
}

impl Drop for Unresolved {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The line of `record` with the draft of its backtrace. No draft where the line has no room for all of that, or the field
/// is hidden.
pub(crate) fn encode(
    encoder: &mut Encoder,
    name: NameSlot,
    nanos: i64,
    record: &Record<'_>,
    redact: &Redactor,
    trace: &Arc<Unresolved>,
) -> Option<(Vec<u8>, Option<Draft>)> {
    let line = trace
        .with_draft(record, |record| encoder.encode_as(name, nanos, record, redact).map(<[u8]>::to_vec))?;
    if line.len() + ROOM <= MAX_LINE_BYTES {
        let draft = Draft::find(&line, trace);
        return Some((line, draft));
    }
    // The other fields are cut for the draft as they would be for the symbols.
    let long = format!("{}{}", trace.draft, " ".repeat(ROOM));
    let mut line = with_text(record, &long, |record| {
        encoder.encode_as(name, nanos, record, redact).map(<[u8]>::to_vec)
    })?;
    let text = escaped(&trace.draft);
    let start = text_of_draft(&line).map(|value| value.start);
    // Hidden, or cut even more.
    let Some(start) = start.filter(|start| line[*start..].starts_with(&text)) else {
        return Some((line, None));
    };
    line.truncate(start + text.len());
    line.extend_from_slice(END);
    let draft = Draft::find(&line, trace);
    Some((line, draft))
}

/// End of a line whose last value is a text.
const END: &[u8] = b"\"}\n";

/// Bytes of the text in the last field of `line`, if it is a draft or was one before it was cut.
pub(crate) fn text_of_draft(line: &[u8]) -> Option<Range<usize>> {
    let start = format!(",\"{KEY}\":\"{DRAFT}");
    let end = line.len().checked_sub(END.len())?;
    // Quotes in a value are escaped, so only a key matches; the last field is ours.
    let at = line.windows(start.len()).rposition(|part| part == start.as_bytes())?;
    let value = at + start.len() - DRAFT.len()..end;
    let is_last = line.ends_with(END) && !line[value.clone()].contains(&b'"');
    is_last.then_some(value)
}

impl Draft {
    fn find(line: &[u8], trace: &Arc<Unresolved>) -> Option<Draft> {
        let text = escaped(&trace.draft);
        let end = line.len().checked_sub(END.len())?;
        let start = end.checked_sub(text.len())?;
        (line.get(start..end) == Some(&*text) && line.ends_with(END))
            .then(|| Draft { trace: Arc::clone(trace), text: start..end })
    }

    /// A draft of which `text` is the place in its line.
    pub(crate) fn at(trace: &Arc<Unresolved>, text: Range<usize>) -> Draft {
        Draft { trace: Arc::clone(trace), text }
    }

    /// `line` with the symbols in it, as JSON.
    pub(crate) fn complete(&self, line: &[u8]) -> Vec<u8> {
        let [before, after] = self.around(line);
        let room = MAX_LINE_BYTES.saturating_sub(before.len() + after.len());
        let mut text = escaped(&self.trace.resolved());
        if text.len() > room {
            text = shortened(&text, room);
        }
        [before, &text, after].concat()
    }

    /// The parts of the line before and behind the draft, and the text with symbols.
    pub(crate) fn parts<'a>(&self, line: &'a [u8]) -> ([&'a [u8]; 2], Arc<str>) {
        (self.around(line), self.trace.resolved())
    }

    fn around<'a>(&self, line: &'a [u8]) -> [&'a [u8]; 2] {
        let part = |range: Range<usize>| line.get(range).unwrap_or_default();
        [part(0..self.text.start), part(self.text.end..line.len())]
    }
}

fn escaped(text: &str) -> LineBuf {
    let mut json = LineBuf::default();
    escape(&mut json, text);
    json
}

/// The beginning of `text`, which is escaped, with a note of what is missing.
fn shortened(text: &[u8], room: usize) -> LineBuf {
    let quoted = [b"\"", text, b"\""].concat();
    let mut short = LineBuf::default();
    truncate::write_shortened(&mut short, &quoted, 0, room.max(64) + 2);
    let mut inner = LineBuf::default();
    inner.extend_from_slice(short.get(1..short.len() - 1).unwrap_or_default());
    inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::logger::Logger;
    use crate::api::testing::Capture;
    use std::thread::{self, ThreadId};

    /// Threads that looked up symbols.
    pub(super) static RESOLVED_BY: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

    static LOG: Logger = Logger::new("test");

    fn fail_here(note: &str) {
        crate::exception!(LOG, std::fmt::Error, note; "failed");
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn symbols_are_not_looked_up_by_the_caller() {
        let capture = Capture::new();
        let theirs = capture.clone();
        let caller = thread::spawn(move || {
            let _scope = theirs.enter();
            fail_here("short");
            thread::current().id()
        });
        let caller = caller.join().unwrap();
        let line = &capture.lines()[0];
        assert!(line["backtrace"].as_str().unwrap().contains("fail_here"), "{line}");
        let resolved_by = lock(&RESOLVED_BY);
        assert!(!resolved_by.contains(&caller));
        assert!(resolved_by.contains(&thread::current().id()));
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn a_stack_that_was_seen_before_has_its_symbols_at_once() {
        // Both from one place, also where the compiler unrolls loops.
        let look = |_| match Trace::current() {
            Trace::Unresolved(trace) => (false, trace.resolved()),
            Trace::Known(text) => (true, text),
        };
        let traces: Vec<_> = (0..std::hint::black_box(2)).map(look).collect();
        assert_eq!([traces[0].0, traces[1].0], [false, true]);
        assert_eq!(traces[0].1, traces[1].1);
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn long_fields_leave_room_for_the_symbols() {
        for length in [100 << 10, MAX_LINE_BYTES - 3000, 1 << 20] {
            let capture = Capture::new();
            let scope = capture.enter();
            fail_here(&"x".repeat(length));
            drop(scope);
            let text = &capture.text()[0];
            assert!(text.len() < MAX_LINE_BYTES, "{}", text.len());
            let line: serde_json::Value = serde_json::from_str(text).unwrap();
            let backtrace = line["backtrace"].as_str().unwrap();
            assert!(backtrace.contains("fail_here"), "{backtrace}");
            assert_eq!(line["note"].as_str().unwrap().len() == length, length < MAX_LINE_BYTES - 8192);
        }
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn a_hidden_backtrace_stays_hidden() {
        let Trace::Unresolved(trace) = Trace::current() else { panic!("it was seen before") };
        let redact = Redactor::new(&[KEY.to_owned()]);
        for length in [1, 1 << 20] {
            let note = "x".repeat(length);
            let fields = [("note", Value::from(note.as_str()))];
            let record = Record::builder().key_values(&fields).args(format_args!("failed")).build();
            let mut encoder = Encoder::default();
            let name = encoder.names.find("test");
            let (line, draft) = encode(&mut encoder, name, 0, &record, &redact, &trace).unwrap();
            assert!(draft.is_none());
            assert!(
                line.ends_with(b",\"backtrace\":\"[redacted]\"}\n"),
                "{}",
                String::from_utf8_lossy(&line)
            );
        }
    }

    #[test]
    fn a_field_of_the_caller_is_not_taken_for_a_draft() {
        let line = |tail: &str| format!("{{\"ts\":\"x\",\"a\":\"b\"{tail}}}\n").into_bytes();
        let draft = format!(",\"backtrace\":\"{DRAFT} 0: x\"");
        assert!(text_of_draft(&line(&draft)).is_some());
        for other in [
            String::new(),
            ",\"backtrace\":\"   0: symbol\"".to_owned(),
            format!("{draft},\"b\":\"c\""),
            format!(",\"a\":\"\\\"backtrace\\\":\\\"{DRAFT}\""),
        ] {
            assert_eq!(text_of_draft(&line(&other)), None, "{other}");
        }
    }
}
