//! Lines of the log that belong to a trace.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use obs_facade::trace::{IdPattern, TraceId};

use crate::cli::log::progress::Progress;
use crate::trace::part::Part;
use obs_facade::log::reader::{Piece, Reader, Window};

/// Lines of a trace, and the IDs that they have.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// JSON lines in the order of the log.
    pub(super) lines: Vec<String>,
    pub(super) ids: BTreeSet<TraceId>,
    /// Number of lines beyond those that are kept.
    pub(super) more: u64,
    bytes: usize,
}

/// Maximum number of lines that are kept.
const MAX_LINES: usize = 2_000;
/// Maximum size of the lines that are kept. One line may have a backtrace.
const MAX_BYTES: usize = 8 << 20;
/// Maximum number of different IDs that are kept.
const MAX_IDS: usize = 32;
const ULID_CHARS: usize = 26;

/// Time before the start of a trace in which its lines are searched: the clock may have been set back by then.
const BEFORE: Duration = Duration::minutes(1);
/// Time after the end of a trace in which its lines are searched: what it has started may go on.
const AFTER: Duration = Duration::minutes(10);

/// Returns the lines in `log_dir` whose trace ID has the form `id`. A folder that does not exist has none. The `parts` of
/// the trace tell the times of its lines.
pub(super) fn find(log_dir: &Path, id: &IdPattern, parts: &[Part]) -> io::Result<Found> {
    if !log_dir.is_dir() {
        return Ok(Found::default());
    }
    let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
    let length = Reader::new(log_dir).length()?;
    let mut progress = Progress::new(is_terminal, length);
    for window in [of_parts(parts), of_id(id)].into_iter().flatten() {
        let found = search(log_dir, id, window, &mut progress)?;
        if !found.lines.is_empty() {
            return Ok(found);
        }
        progress.restart();
    }
    search(log_dir, id, Window::default(), &mut progress)
}

/// Returns the time of the parts. A part that runs has no end yet.
fn of_parts(parts: &[Part]) -> Option<Window> {
    let start = parts.iter().map(started).min()??;
    let end = parts.iter().map(|part| {
        // Another node may send any number.
        let lasted = Duration::try_milliseconds(part.trace.duration_ms as i64)?;
        started(part).filter(|_| !part.is_running)?.checked_add_signed(lasted)
    });
    // One part without an end has the search go on to the end of the log.
    let end = end.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
    Some(Window::new(start.checked_sub_signed(BEFORE), end.and_then(|end| end.checked_add_signed(AFTER))))
}

fn started(part: &Part) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(part.trace.started_ms()? as i64)
}

/// Returns the time from which a trace has lines, by its ID. Callers choose IDs, so the time may be wrong.
fn of_id(id: &IdPattern) -> Option<Window> {
    let made = DateTime::from_timestamp_millis(id.whole()?.timestamp_ms().try_into().ok()?)?;
    (made < Utc::now()).then(|| Window::new(made.checked_sub_signed(BEFORE), None))
}

fn search(log_dir: &Path, id: &IdPattern, window: Window, progress: &mut Progress) -> io::Result<Found> {
    let mut found = Found::default();
    Reader::of(log_dir, window).read_new(false, |_, piece| {
        match piece {
            Piece::Line(line) => {
                if let Some(of_line) = id_of(line).filter(|of_line| id.matches(*of_line)) {
                    found.add(of_line, line);
                }
            }
            Piece::Passed(bytes) if progress.is_due(bytes) => progress.show(),
            _ => {}
        }
        Ok(())
    })?;
    progress.hide();
    Ok(found)
}

/// Returns the trace ID of a line. It has a place at the end of the fixed members, before the fields.
fn id_of(line: &[u8]) -> Option<TraceId> {
    const KEY: &[u8] = b"\"trace_id\":\"";
    // Quotes within a text are escaped, so the key is found as a member only.
    let at = memchr::memmem::find(line, KEY)? + KEY.len();
    str::from_utf8(line.get(at..at + ULID_CHARS)?).ok()?.parse().ok()
}

impl Found {
    fn add(&mut self, id: TraceId, line: &[u8]) {
        if self.ids.len() < MAX_IDS {
            self.ids.insert(id);
        }
        if self.lines.len() == MAX_LINES || self.bytes + line.len() > MAX_BYTES {
            self.more += 1;
            return;
        }
        self.bytes += line.len();
        self.lines.push(String::from_utf8_lossy(line).into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_trace_are_found_by_a_part_of_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let line = |id: &str, msg: &str| {
            format!(
                "{{\"ts\":\"2026-05-26T08:14:22.281Z\",\"level\":\"info\",\"logger\":\"a\",\"msg\":\"{msg}\",\
                 \"trace_id\":\"{id}\"}}\n"
            )
        };
        let (ours, other) = ("01HXR3F2M9Z5T1V8Q4W7N6K0JD", "01HXR3F2M9Z5T1V8Q4W7N6K0JE");
        let quoted = line(other, &format!("\\\"trace_id\\\":\\\"{ours}"));
        let text = [line(ours, "one"), quoted, "no JSON\n".to_owned(), line(ours, "two")].concat();
        std::fs::write(folder.path().join("2026-05-26.log"), text).unwrap();
        let found = find(folder.path(), &"K0JD".parse().unwrap(), &[]).unwrap();
        assert_eq!((found.lines.len(), found.ids.len(), found.more), (2, 1, 0));
        let found = find(folder.path(), &"01HXR3F2".parse().unwrap(), &[]).unwrap();
        assert_eq!((found.lines.len(), found.ids.len()), (3, 2));
        assert!(find(&folder.path().join("none"), &"K0JD".parse().unwrap(), &[]).unwrap().lines.is_empty());
    }

    /// A day file of a busy node has a gigabyte.
    #[test]
    fn the_time_of_a_trace_limits_the_search() {
        const ID: &str = "01HXR3F2M9Z5T1V8Q4W7N6K0JD";
        let folder = tempfile::tempdir().unwrap();
        for day in ["25", "26", "27"] {
            let line = format!(
                "{{\"ts\":\"2026-05-{day}T08:14:22.281Z\",\"level\":\"info\",\"logger\":\"a\",\"msg\":\"m\",\
                 \"trace_id\":\"{ID}\"}}\n"
            );
            std::fs::write(folder.path().join(format!("2026-05-{day}.log")), line).unwrap();
        }
        let lasting = |duration_ms: f64, started_at: &str, is_running| {
            let raw = serde_json::json!({ "trace_id": ID, "capability": "a", "started_at": started_at,
                                          "duration_ms": duration_ms, "status": "ok", "spans": [] });
            let trace = serde_json::from_value(raw.clone()).unwrap();
            Part { node: "ada".to_owned(), is_running, trace, raw }
        };
        let part = |started_at: &str, is_running| lasting(9.0, started_at, is_running);
        let found = |parts: &[Part]| {
            let found = find(folder.path(), &ID.parse().unwrap(), parts).unwrap();
            let day = |line: &String| line["{\"ts\":\"2026-05-".len()..][..2].to_owned();
            found.lines.iter().map(day).collect::<Vec<_>>()
        };
        let (on_time, early) = ("2026-05-26T08:14:22.300Z", "2026-05-20T08:14:22.281Z");
        assert_eq!(found(&[part(on_time, false)]), ["26"]);
        assert_eq!(found(&[part(on_time, true)]), ["26", "27"], "a part that runs has no end");
        assert_eq!(found(&[part(on_time, false), part("2026-05-27T08:14:00Z", false)]), ["26", "27"]);
        assert_eq!(found(&[part(early, false)]), ["25", "26", "27"], "a time without lines is no limit");
        assert_eq!(found(&[lasting(-1e300, on_time, false)]), ["26", "27"], "no time of an end");
        assert_eq!(found(&[lasting(1e300, on_time, false)]), ["26", "27"]);
        assert_eq!(found(&[part("never", false)]), ["25", "26", "27"]);
        // The ID is of May 2024.
        assert_eq!(found(&[]), ["25", "26", "27"]);
    }
}
