//! Lines around an instant.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_console::Failure;
use obs_console::api::LogLines;
use obs_log::reader::{Head, LineTime, Look, Piece, Reader, Window};

use super::line;
use super::unreadable::unreadable;

/// Number of lines if the query has none, and the maximum.
const LINES: (usize, usize) = (200, 2_000);

/// Time around the instant in which lines are looked for: a quiet node has a line every few minutes.
const REACH: Duration = Duration::from_secs(86_400);

/// Returns the lines around an instant, whatever their levels and loggers are: half of them before it.
pub(super) fn around(dir: &Path, instant: &str, n: usize) -> Result<LogLines, Failure> {
    let bad = |_| Failure::BadQuery("around: give an instant such as 2026-05-26T08:14:22.281Z".to_owned());
    let at: DateTime<Utc> = DateTime::parse_from_rfc3339(instant).map_err(bad)?.into();
    let half = if n == 0 { LINES.0 } else { n.min(LINES.1) }.div_ceil(2);
    let failed = |error: io::Error| unreadable(dir, &error);
    let mut lines = before(dir, at, half).map_err(failed)?;
    lines.extend(from(dir, at, half).map_err(failed)?);
    Ok(LogLines {
        matched: lines.len() as u64,
        lines: lines.iter().filter_map(|line| line::shown(line)).collect(),
        counts: Vec::new(),
        step_seconds: 1,
        searched_since: None,
        oldest: Reader::new(dir).first_time().map_err(failed)?.map(|time| time.text().to_owned()),
    })
}

/// Returns the last lines before the instant, in their order.
fn before(dir: &Path, at: DateTime<Utc>, most: usize) -> io::Result<Vec<Vec<u8>>> {
    let window = Window::new(at.checked_sub_signed(reach()), Some(at));
    let wanted = LineTime::at(at);
    let (mut lines, mut packed): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let is_before =
        |line: &[u8]| Head::of(line).is_some_and(|head| head.time < wanted) && line::is_whole(line);
    Reader::of(dir, window).look_back(|look| {
        match look {
            Look::Line(line) if is_before(line) => lines.push(line.to_vec()),
            Look::Packed(line) if is_before(line) => {
                packed.push(line.to_vec());
                // The last ones of the file are wanted.
                if packed.len() > 2 * most {
                    packed.drain(..most);
                }
            }
            Look::PackedEnd => lines.extend(std::mem::take(&mut packed).into_iter().rev()),
            _ => {}
        }
        lines.len() < most
    })?;
    lines.truncate(most);
    lines.reverse();
    Ok(lines)
}

/// Returns the first lines from the instant on.
fn from(dir: &Path, at: DateTime<Utc>, most: usize) -> io::Result<Vec<Vec<u8>>> {
    let window = Window::new(Some(at), at.checked_add_signed(reach()));
    let wanted = LineTime::at(at);
    let mut lines = Vec::new();
    let read = Reader::of(dir, window).read_new(true, |_, piece| {
        if let Piece::Line(line) = piece
            && Head::of(line).is_some_and(|head| head.time >= wanted)
            && line::is_whole(line)
        {
            lines.push(line.to_vec());
        }
        // An error ends the reading.
        if lines.len() < most { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    });
    match read {
        Err(error) if lines.len() < most => Err(error),
        _ => Ok(lines),
    }
}

fn reach() -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(REACH).unwrap_or_default()
}
