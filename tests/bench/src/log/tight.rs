//! The line of the hand-written limits: the same keys and escapes as ours, without the generality of a library. The fields
//! are known at compile time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Event;

/// Renders lines into one buffer.
pub(super) struct Line {
    second: u64,
    date: [u8; 20],
    bytes: Vec<u8>,
}

impl Line {
    pub(super) const fn new() -> Line {
        Line { second: 0, date: *b"1970-01-01T00:00:00.", bytes: Vec::new() }
    }

    /// Renders the line of `event` with the present time.
    #[inline]
    pub(super) fn render(&mut self, event: &Event) -> &[u8] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.date = date(self.second);
        }
        let out = &mut self.bytes;
        out.clear();
        out.reserve(512);
        out.extend_from_slice(b"{\"ts\":\"");
        out.extend_from_slice(&self.date);
        let millis = now.subsec_millis();
        let digit = |value: u32| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[digit(millis / 100), digit(millis / 10), digit(millis)]);
        out.extend_from_slice(
            b"Z\",\"level\":\"info\",\"logger\":\"bench.bus.router\",\"msg\":\"routed\",\"capability\":\"",
        );
        escape(out, event.capability);
        out.extend_from_slice(b"\",\"to\":\"");
        escape(out, event.to);
        out.extend_from_slice(b"\",\"ms\":");
        out.extend_from_slice(itoa::Buffer::new().format(event.ms).as_bytes());
        out.extend_from_slice(if event.ok { b",\"ok\":true}\n" } else { b",\"ok\":false}\n" });
        out
    }
}

#[inline]
fn escape(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| (byte >= 0x20) & (byte != b'"') & (byte != b'\\')) {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(text.escape_default().to_string().as_bytes());
    }
}

/// Text of the present second, such as `2026-05-26T08:14:22.`, rendered once a second.
#[cold]
fn date(second: u64) -> [u8; 20] {
    let time = chrono::DateTime::from_timestamp(second as i64, 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%S.").to_string().into_bytes().try_into().expect("a year of four digits")
}

thread_local! {
    static LINE: std::cell::RefCell<Line> = const { std::cell::RefCell::new(Line::new()) };
}

/// Calls `take` with the line of `event`.
#[inline]
pub(super) fn with_line<R>(event: &Event, take: impl FnOnce(&[u8]) -> R) -> R {
    LINE.with_borrow_mut(|line| take(line.render(event)))
}

/// Returns the last line of this thread.
pub(super) fn last() -> Vec<u8> {
    LINE.with_borrow(|line| line.bytes.clone())
}

/// Logger for the `log` crate. The limits do not log through it, but a disabled line costs its level check.
pub(super) struct Nobody;

impl log::Log for Nobody {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        false
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

/// Sets the `log` crate to level info.
pub(super) fn set_level() {
    log::set_logger(&Nobody).expect("no other logger is installed");
    log::set_max_level(log::LevelFilter::Info);
}
