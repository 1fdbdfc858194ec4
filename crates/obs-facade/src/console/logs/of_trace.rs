//! Lines of one trace.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use obs_console::Failure;
use obs_console::api::TraceLog;
use obs_log::reader::{Head, Piece, Reader, Window};
use obs_trace::TraceId;

use super::line;
use super::unreadable::unreadable;

/// Time before the trace in which its lines are looked for: the clock may have been set by a little meanwhile.
const BEFORE: Duration = Duration::from_secs(1);
/// Time after the trace in which its lines are looked for: what it has begun may go on.
const AFTER: Duration = Duration::from_secs(60);
/// Longest search. The page with the trace waits for it.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes that are searched at most, so that the page cache of a small machine is not filled with old days.
const MAX_SEARCHED: usize = 256 << 20;
/// Number of lines between two looks at the clock.
const LINES_A_LOOK: u64 = 512;

/// Member of the line that ends a trace.
const END: &str = "\"msg\":\"done\"";

/// Returns the lines of a trace around its time.
pub(in crate::console) fn of_trace(
    dir: &Path,
    id: TraceId,
    time: Range<SystemTime>,
) -> Result<TraceLog, Failure> {
    search(dir, id, time, PATIENCE).map_err(|error| unreadable(dir, &error))
}

fn search(dir: &Path, id: TraceId, time: Range<SystemTime>, patience: Duration) -> io::Result<TraceLog> {
    let since = time.start.checked_sub(BEFORE).unwrap_or(time.start);
    let until = time.end.checked_add(AFTER).unwrap_or(time.end);
    let window = Window::new(Some(since.into()), Some(until.into()));
    let key = format!("\"trace_id\":\"{id}\"");
    let mut log = TraceLog::default();
    let (begun, mut lines, mut bytes, mut is_cut_off) = (Instant::now(), 0_u64, 0, false);
    let read = Reader::of(dir, window.clone()).read_new(true, |_, piece| {
        let Piece::Line(line) = piece else { return Ok(()) };
        lines += 1;
        bytes += line.len();
        is_cut_off = bytes > MAX_SEARCHED || lines.is_multiple_of(LINES_A_LOOK) && begun.elapsed() > patience;
        if is_cut_off {
            // An error ends the reading.
            return Err(io::ErrorKind::Interrupted.into());
        }
        // Quotes within a text are escaped, so that the key is found as a member only. Parsing a line would take ten times as
        // long, and bytes that are no text are no line.
        if let Ok(text) = str::from_utf8(line)
            && text.contains(&key)
            && Head::of(line).is_some_and(|head| window.place_of(head.time).is_none())
            && line::is_whole(line)
        {
            log.add(line.len(), text.contains(END), || line::shown(line));
        }
        Ok(())
    });
    match read {
        Err(error) if !is_cut_off => return Err(error),
        _ if is_cut_off => log.cut_off(),
        _ => {}
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use obs_console::api::TraceDetail;

    use super::*;

    /// A trace of a busy node must not have a page wait for the whole day file.
    #[test]
    fn a_search_that_takes_too_long_says_that_it_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let id: TraceId = "01HXR3F2M9Z5T1V8Q4W7N6K0JD".parse().unwrap();
        let line = format!(
            "{{\"ts\":\"2026-05-26T08:14:22.281Z\",\"level\":\"info\",\"logger\":\"a\",\"msg\":\"m\",\"trace_id\":\"{id}\"}}\n"
        );
        fs::write(folder.path().join("2026-05-26.log"), line.repeat(2 * LINES_A_LOOK as usize)).unwrap();
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_779_783_262_281);
        let found = |patience| {
            let parts = vec![];
            let trace_id = id.to_string();
            let mut detail = TraceDetail { trace_id, parts, lines: None, lines_cut_off: false, log: vec![] };
            search(folder.path(), id, began..began, patience).unwrap().fill(&mut detail);
            (detail.lines, detail.lines_cut_off)
        };
        assert_eq!(found(Duration::from_secs(600)), (Some(2 * LINES_A_LOOK), false));
        assert_eq!(found(Duration::ZERO), (Some(LINES_A_LOOK - 1), true));
    }
}
