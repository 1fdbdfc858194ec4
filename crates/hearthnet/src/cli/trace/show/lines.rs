//! Lines of the log that belong to a trace.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use obs_facade::trace::{IdPattern, TraceId};

use crate::cli::log::files::{Piece, Reader};

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

/// Returns the lines in `log_dir` whose trace ID has the form `id`. A folder that does not exist has none.
pub(super) fn find(log_dir: &Path, id: &IdPattern) -> io::Result<Found> {
    let mut found = Found::default();
    if !log_dir.is_dir() {
        return Ok(found);
    }
    Reader::new(log_dir).read_new(false, |_, piece| {
        if let Piece::Line(line) = piece
            && let Some(of_line) = id_of(line)
            && id.matches(of_line)
        {
            found.add(of_line, line);
        }
        Ok(())
    })?;
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
        let found = find(folder.path(), &"K0JD".parse().unwrap()).unwrap();
        assert_eq!((found.lines.len(), found.ids.len(), found.more), (2, 1, 0));
        let found = find(folder.path(), &"01HXR3F2".parse().unwrap()).unwrap();
        assert_eq!((found.lines.len(), found.ids.len()), (3, 2));
        assert!(find(&folder.path().join("none"), &"K0JD".parse().unwrap()).unwrap().lines.is_empty());
    }
}
