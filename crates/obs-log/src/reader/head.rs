//! First entries of a line, read without parsing the line as JSON.

use super::line_time::LineTime;

/// Beginning of every line of the node.
const START: &[u8] = b"{\"ts\":\"";

/// Time, level and logger of a line. Parsing a line as JSON takes ten times as long, and most lines of a search are usually
/// not wanted.
///
/// ```
/// use obs_log::reader::Head;
///
/// let line = br#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus","msg":"joined"}"#;
/// let head = Head::of(line).unwrap();
/// assert_eq!((head.time.day(), head.level, head.logger), ("2026-05-26", "info", Some("hearthnet.bus")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head<'a> {
    /// Time.
    pub time: LineTime,
    /// Level, as it stands in the line.
    pub level: &'a str,
    /// Logger. `None` if the line has an escape there.
    pub logger: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// Reads `{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":…`. Returns `None`
    /// for a line of another form, which may still be valid.
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<Head<'a>> {
        let (time, rest) = line.strip_prefix(START)?.split_at_checked(LineTime::LENGTH)?;
        let (level, rest) = until_quote(rest.strip_prefix(b"\",\"level\":\"")?)?;
        let logger = rest.strip_prefix(b",\"logger\":\"").and_then(until_quote).map(|(logger, _)| logger);
        let logger =
            logger.and_then(|logger| str::from_utf8(logger).ok()).filter(|logger| !logger.contains('\\'));
        let level = str::from_utf8(level).ok().filter(|level| !level.contains('\\'))?;
        Some(Head { time: LineTime::of(time)?, level, logger })
    }
}

fn until_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'"')?;
    Some((&text[..end], &text[end + 1..]))
}
