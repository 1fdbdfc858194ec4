//! First entries of a line, read without parsing the line as JSON.

use crate::cli::log::line::Level;
use crate::cli::log::time::LineTime;

/// Beginning of every line of the node.
const START: &[u8] = b"{\"ts\":\"";

/// Time, level and logger of a line. Parsing a line as JSON takes ten times as long, and most lines are usually not
/// selected.
pub(super) struct Head<'a> {
    pub(super) time: LineTime,
    pub(super) level: Level,
    /// `None` if the line has an escape there.
    pub(super) logger: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// Reads `{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":…`. Returns `None`
    /// for a line of another form, which may still be valid.
    pub(super) fn of(line: &'a [u8]) -> Option<Head<'a>> {
        let (time, rest) = line.strip_prefix(START)?.split_at_checked(LineTime::LENGTH)?;
        let (level, rest) = until_quote(rest.strip_prefix(b"\",\"level\":\"")?)?;
        let logger = rest.strip_prefix(b",\"logger\":\"").and_then(until_quote).map(|(logger, _)| logger);
        let logger =
            logger.and_then(|logger| str::from_utf8(logger).ok()).filter(|logger| !logger.contains('\\'));
        Some(Head { time: LineTime::of(time)?, level: Level::of(level)?, logger })
    }
}

fn until_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'"')?;
    Some((&text[..end], &text[end + 1..]))
}
