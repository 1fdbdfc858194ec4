//! Places of the contents within the archive. `docs/report.md` describes them.

/// Form of a file of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// One object of JSON a line.
    Lines,
    Text,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::Lines => "json-lines",
            Form::Text => "text",
        }
    }
}

/// File of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) form: Form,
    /// Description of the file, for the list of contents.
    pub(super) about: &'static str,
}

const fn place(path: &'static str, form: Form, about: &'static str) -> Place {
    Place { path, form, about }
}

pub(super) const VERSIONS: Place =
    place("versions.json", Form::Json, "versions of the program and the system");
pub(super) const SETTINGS: Place = place("config.toml", Form::Text, "settings without secrets and comments");
pub(super) const DOCTOR: Place = place("doctor.json", Form::Json, "the doctor's report");
pub(super) const PROBLEMS: Place = place("problems.json", Form::Json, "problems: errors grouped by cause");
pub(super) const HISTORY: Place = place("history.json", Form::Json, "calls by time and capability, restarts");
pub(super) const LINES: Place =
    place("log.jsonl", Form::Lines, "lines of the log around failures, and the last ones");
pub(super) const RECENT: Place = place("traces/recent.json", Form::Json, "the latest traces");
pub(super) const FAILED: Place = place("traces/failed.json", Form::Json, "the latest failed traces");
pub(super) const SLOWEST: Place = place("traces/slowest.json", Form::Json, "the slowest traces");
pub(super) const ACTIVE: Place = place("traces/active.json", Form::Json, "running traces");
pub(super) const METRICS: Place = place("metrics.txt", Form::Text, "the page of the metrics");
pub(super) const STATUS: Place = place("status.json", Form::Json, "the node's report about itself");
pub(super) const OVERVIEW: Place = place("console/overview.json", Form::Json, "the console's overview");
pub(super) const CONSOLE_PROBLEMS: Place =
    place("console/problems.json", Form::Json, "the console's problems");
pub(super) const FAMILIES: Place = place("console/metrics.json", Form::Json, "the console's metric families");
pub(super) const PEERS: Place = place("console/peers.json", Form::Json, "the console's peers");

/// All places.
pub(super) const ALL: [Place; 16] = [
    VERSIONS,
    SETTINGS,
    DOCTOR,
    PROBLEMS,
    HISTORY,
    LINES,
    RECENT,
    FAILED,
    SLOWEST,
    ACTIVE,
    METRICS,
    STATUS,
    OVERVIEW,
    CONSOLE_PROBLEMS,
    FAMILIES,
    PEERS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_every_file_of_the_archive() {
        let document = include_str!("../../../../../docs/report.md");
        for Place { path, form, .. } in ALL {
            let row =
                document.lines().find(|line| line.starts_with(&format!("| `{path}` | {} |", form.name())));
            assert!(row.is_some(), "{path}");
        }
    }
}
