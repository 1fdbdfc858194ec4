//! Which lines are exported, which come too late, and which do not matter.

use chrono::{DateTime, TimeDelta, Utc};
use obs_log::reader::{Head, LineTime, Window};

use super::position::Position;

/// Maximum age of the lines that a restart catches up on.
const BACK_FILL: TimeDelta = TimeDelta::hours(24);

/// Loggers whose lines are not exported: those of the exporters and of the HTTP client below them. At the level `debug` each
/// request would make lines, and so the next request.
const OWN: [&str; 7] = [
    "hearthnet.trace.otlp",
    "hearthnet.metrics.otlp",
    "hearthnet.log.otlp",
    "ureq",
    "ureq_proto",
    "rustls",
    "rustls_platform_verifier",
];

/// Times that decide about a line that was not exported yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// Lines from here on are exported.
    from: LineTime,
    /// Lines from here on that are not exported are lost.
    lost_from: LineTime,
}

/// Fate of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Exported,
    /// It is too old, and was not exported before.
    Lost,
    /// It is older than the export, was exported before, or the export caused it.
    Ignored,
}

impl Due {
    pub(super) fn new(position: &Position, now: DateTime<Utc>) -> Due {
        let since = DateTime::from_timestamp_millis(position.since_ms).unwrap_or(now);
        let from = LineTime::at(since.max(now - BACK_FILL));
        let exported = LineTime::of(position.exported.as_bytes()).unwrap_or(from);
        Due { from, lost_from: LineTime::at(since).max(exported).min(from) }
    }

    /// Returns the window of the lines that matter.
    pub(super) fn window(&self) -> Window {
        Window::new(self.lost_from.instant(), None)
    }

    /// Returns the fate of a line. One of another form is as old as the line before, whose fate by age is `last`.
    pub(super) fn fate(&self, line: &[u8], last: &mut Fate) -> Fate {
        let Some(head) = Head::of(line) else { return *last };
        *last = match head.time {
            time if time < self.lost_from => Fate::Ignored,
            time if time < self.from => Fate::Lost,
            _ => Fate::Exported,
        };
        if head.logger.is_some_and(is_own) { Fate::Ignored } else { *last }
    }
}

fn is_own(logger: &str) -> bool {
    OWN.iter()
        .any(|own| logger.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(due: &Due, time: &str, logger: &str) -> Fate {
        let line = format!(r#"{{"ts":"{time}","level":"info","logger":"{logger}","msg":"m"}}"#);
        due.fate(line.as_bytes(), &mut Fate::Exported)
    }

    #[test]
    fn lines_are_lost_that_are_over_a_day_old_and_after_the_last_exported_one() {
        let now = "2026-05-26T08:00:00Z".parse().unwrap();
        let at = |exported: &str| {
            let since = "2026-05-20T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
            let position =
                Position { exported: exported.to_owned(), ..Position::since(since.timestamp_millis()) };
            Due::new(&position, now)
        };
        let due = at("2026-05-22T00:00:00.000Z");
        for (time, wanted) in [
            ("2026-05-19T23:59:59.999Z", Fate::Ignored),
            ("2026-05-21T23:59:59.999Z", Fate::Ignored),
            ("2026-05-22T00:00:00.001Z", Fate::Lost),
            ("2026-05-25T07:59:59.999Z", Fate::Lost),
            ("2026-05-25T08:00:00.000Z", Fate::Exported),
        ] {
            assert_eq!(fate(&due, time, "hearthnet.bus"), wanted, "{time}");
        }
        // Late lines of the last day are exported, whatever came before them.
        let due = at("2026-05-26T07:59:00.000Z");
        assert_eq!(fate(&due, "2026-05-25T08:00:00.000Z", "hearthnet.bus"), Fate::Exported);
        assert_eq!(fate(&due, "2026-05-25T07:59:59.999Z", "hearthnet.bus"), Fate::Ignored);
        // Without a time of the last exported line, none is known to be lost.
        assert_eq!(fate(&at(""), "2026-05-24T00:00:00.000Z", "hearthnet.bus"), Fate::Ignored);
    }

    #[test]
    fn lines_of_the_export_itself_are_ignored() {
        let due = Due::new(&Position::since(0), Utc::now());
        let now = LineTime::at(Utc::now());
        for (logger, wanted) in [
            ("hearthnet.log.otlp", Fate::Ignored),
            ("ureq.pool", Fate::Ignored),
            ("ureqs", Fate::Exported),
            ("hearthnet.log", Fate::Exported),
        ] {
            assert_eq!(fate(&due, now.text(), logger), wanted, "{logger}");
        }
    }

    #[test]
    fn a_line_of_another_form_is_as_old_as_the_one_before() {
        let now = "2026-05-26T08:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let due = Due::new(&Position::since((now - TimeDelta::minutes(1)).timestamp_millis()), now);
        let mut last = Fate::Exported;
        for (line, wanted) in [
            ("panicked at", Fate::Exported),
            (r#"{"ts":"2026-05-26T07:00:00.000Z","level":"info","logger":"x","msg":"m"}"#, Fate::Ignored),
            ("panicked at", Fate::Ignored),
            (r#"{"ts":"2026-05-26T08:00:00.000Z","level":"info","logger":"ureq","msg":"m"}"#, Fate::Ignored),
            ("panicked at", Fate::Exported),
        ] {
            assert_eq!(due.fate(line.as_bytes(), &mut last), wanted, "{line}");
        }
    }
}
