//! Backtraces whose symbols are looked up by the thread that writes the line.
//!
//! The caller takes the addresses of its stack and stages a *draft* of the line with the addresses as text. The writer
//! replaces them by the text with symbols when it writes the line. If the process is killed before that, the next start writes
//! the draft as it is. If the text of a stack is known already, it goes into the line at once, and there is no draft.

mod frames;

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
use crate::json::joined::Joined;
use crate::json::text::escape::escape;
use crate::json::text::line_buf::LineBuf;
use crate::json::text::truncate;
use crate::limits::MAX_LINE_BYTES;
use crate::sync::lock;

/// Name of the field.
pub(crate) const KEY: &str = "backtrace";
/// Maximum number of backtraces a second. A peer may be able to provoke errors, and each costs the writer milliseconds.
const MAX_A_SECOND: u32 = 16;
/// Maximum number of backtraces that wait for their symbols, for example while the disk is full. Each takes some KiB beside
/// its line.
const MAX_WAITING: usize = 256;
/// Maximum number of texts that are kept.
const MAX_KNOWN: usize = 32;
/// Maximum length in bytes of a text that is kept. All of them together take at most 1 MiB.
const MAX_KNOWN_BYTES: usize = 32 << 10;
/// Maximum length in bytes of a text with symbols. A line must have room for the error and its causes too.
const MAX_TEXT_BYTES: usize = MAX_LINE_BYTES / 3;
/// Bytes of a line that are reserved for the symbols, even if its fields have to be cut for them.
const SYMBOL_BYTES: usize = 16 << 10;
/// Beginning of the text that stands for symbols in a draft.
const DRAFT: &str = "[addresses only: the process ended before it had found the symbols]";

/// Number of backtraces that wait for their symbols.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Texts of stacks that were seen before, most recently used first.
static KNOWN: Mutex<VecDeque<(Frames, Arc<str>)>> = Mutex::new(VecDeque::new());

/// Backtrace of a call.
pub(crate) enum Trace {
    /// Text with symbols, or the reason why there is none.
    Known(Arc<str>),
    /// Addresses whose symbols are looked up later.
    Unresolved(Arc<Unresolved>),
}

/// Backtrace without its symbols.
#[derive(Debug)]
pub(crate) struct Unresolved {
    frames: Frames,
    /// Text that stands for the symbols.
    draft: String,
}

/// Position of an unresolved backtrace in a line.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    trace: Arc<Unresolved>,
    /// Range in bytes of the text that the symbols replace.
    text: Range<usize>,
}

impl Trace {
    /// Returns the backtrace of the calling thread. It begins at the function whose frame has the address `local`.
    pub(crate) fn current(local: usize) -> Trace {
        if !is_within_budget() {
            return Trace::Known(format!("[left out: more than {MAX_A_SECOND} in this second]").into());
        }
        let frames = Frames::current(local);
        if let Some(text) = known(&frames) {
            return Trace::Known(text);
        }
        // Relaxed: the number bounds memory and guards nothing else.
        if WAITING.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            WAITING.fetch_sub(1, Ordering::Relaxed);
            return Trace::Known(format!("[left out: {MAX_WAITING} others wait to be written]").into());
        }
        let draft = format!("{DRAFT}{frames}");
        Trace::Unresolved(Arc::new(Unresolved { frames, draft }))
    }
}

fn is_within_budget() -> bool {
    static BUDGET: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let now = Instant::now();
    let mut budget = lock(&BUDGET);
    let (since, taken) =
        budget.filter(|(since, _)| now - *since < Duration::from_secs(1)).unwrap_or((now, 0));
    *budget = Some((since, taken.saturating_add(1)));
    taken < MAX_A_SECOND
}

fn known(frames: &Frames) -> Option<Arc<str>> {
    let mut known = lock(&KNOWN);
    // A linear scan is enough: there are at most 32 entries, and exceptions are rare.
    let at = known.iter().position(|(of, _)| of == frames)?;
    let entry = known.remove(at)?;
    let text = Arc::clone(&entry.1);
    known.push_front(entry);
    Some(text)
}

fn remember(frames: &Frames, text: &Arc<str>) {
    if !frames.is_whole() || text.len() > MAX_KNOWN_BYTES {
        return;
    }
    let mut known = lock(&KNOWN);
    if known.iter().all(|(of, _)| of != frames) {
        known.truncate(MAX_KNOWN - 1);
        known.push_front((frames.clone(), Arc::clone(text)));
    }
}

impl Unresolved {
    /// Returns the text with symbols. Takes milliseconds, and about a hundred for the first one in a process.
    fn resolved(&self) -> Arc<str> {
        if let Some(text) = known(&self.frames) {
            return text;
        }
        let text = self.frames.with_symbols(MAX_TEXT_BYTES).into();
        #[cfg(test)]
        lock(&tests::RESOLVED_BY).push(std::thread::current().id());
        remember(&self.frames, &text);
        text
    }

    /// Calls `take` with `record` and the draft as its last field.
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

/// Returns the line of `record` with the draft of its backtrace. There is no draft if the line has no room for all of it, or
/// the field is hidden.
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
    if line.len() + SYMBOL_BYTES <= MAX_LINE_BYTES {
        let draft = Draft::find(&line, trace);
        return Some((line, draft));
    }
    // Reserve the room of the symbols, so that the other fields are cut for them now.
    let long = format!("{}{}", trace.draft, " ".repeat(SYMBOL_BYTES));
    let mut line = with_text(record, &long, |record| {
        encoder.encode_as(name, nanos, record, redact).map(<[u8]>::to_vec)
    })?;
    let text = escaped(&trace.draft);
    let start = text_of_draft(&line).map(|value| value.start);
    // Otherwise the field is hidden, or the draft itself was cut.
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

/// Returns the range of the text in the last field of `line`, if it is a draft or was one before it was cut.
pub(crate) fn text_of_draft(line: &[u8]) -> Option<Range<usize>> {
    let start = format!(",\"{KEY}\":\"{DRAFT}");
    let end = line.len().checked_sub(END.len())?;
    // Quotes in a value are escaped, so only a key matches. The last field is that of this crate.
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

    /// Returns a draft whose text has this range in its line.
    pub(crate) fn at(trace: &Arc<Unresolved>, text: Range<usize>) -> Draft {
        Draft { trace: Arc::clone(trace), text }
    }

    /// Returns `line` with the symbols in it, as JSON.
    pub(crate) fn complete(&self, line: &[u8]) -> Vec<u8> {
        let [before, after] = self.around(line);
        let room = MAX_LINE_BYTES.saturating_sub(before.len() + after.len());
        let mut text = escaped(&self.trace.resolved());
        if text.len() > room {
            text = shortened(&text, room);
        }
        [before, &text, after].concat()
    }

    /// Returns the parts of the line before and after the draft, and the text with symbols.
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

/// Returns the beginning of `text`, which is escaped, with a note of the number of missing bytes.
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
        let first = line["backtrace"].as_str().unwrap().lines().next().unwrap();
        assert!(
            first.starts_with("   0: ") && first.ends_with("fail_here"),
            "none of ours before it: {line}"
        );
        let resolved_by = lock(&RESOLVED_BY);
        assert!(!resolved_by.contains(&caller));
        assert!(resolved_by.contains(&thread::current().id()));
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn a_stack_that_was_seen_before_has_its_symbols_at_once() {
        // Both calls are made in one place of the code, even if the compiler unrolls loops.
        let look = |_| match Trace::current(0) {
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
        let Trace::Unresolved(trace) = Trace::current(0) else { panic!("it was seen before") };
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
