//! Lines that a node prints on stdout at its start.

use std::path::Path;

use chrono::{SecondsFormat, Utc};
use obs_facade::LogConsole;
use serde_json::{Map, Value, json};

use crate::cli::output::{print, say};
use crate::cli::overrides::Overrides;
use crate::config::Config;
use crate::state::create_once::Creation;

/// Format of the lines: text for people, or JSON objects if the console has JSON, because a collector reads stdout and
/// stderr as one stream.
#[derive(Clone, Copy)]
pub(super) enum Banner {
    Text,
    Json,
}

impl Banner {
    pub(super) fn of(config: &Config) -> Banner {
        match config.observability.console() {
            LogConsole::Json => Banner::Json,
            _ => Banner::Text,
        }
    }

    /// Prints that a missing file was created.
    pub(super) fn made(self, what: &str, path: &Path, creation: Creation) {
        if creation == Creation::Created {
            match self {
                Banner::Text => say(format_args!("hearthnet: made the {what} {}", path.display())),
                Banner::Json => say_json(&format!("made the {what}"), [("path", path.display().to_string())]),
            }
        }
    }

    /// Prints the address of the node and the places of its records.
    pub(super) fn listening(self, config: &Config, overrides: &Overrides) {
        let log_dir = config.observability.log_dir().display();
        let address = config.local_address();
        match self {
            Banner::Text => {
                say(format_args!("hearthnet: listening on http://{address}"));
                say(format_args!("  metrics  http://{address}/metrics"));
                say(format_args!("  traces   http://{address}/trace/recent"));
                say(format_args!("  log      {log_dir}  (hearthnet log --follow{})", overrides.for_files()));
                say(format_args!("  checks   hearthnet doctor{}", overrides.for_node()));
            }
            Banner::Json => {
                let message = format!("listening on http://{address}");
                say_json(&message, [("log_dir", log_dir.to_string())]);
            }
        }
    }
}

/// Prints a line with the fields of a log line.
fn say_json<const N: usize>(message: &str, fields: [(&str, String); N]) {
    let line = json_line(Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), message, fields);
    // A failure to print does not stop the node.
    let _ = print(&line);
}

fn json_line<const N: usize>(ts: String, message: &str, fields: [(&str, String); N]) -> String {
    let first = [("ts", ts), ("level", "info".into()), ("logger", "hearthnet.run".into())];
    let message = [("msg", message.to_owned())];
    let all = first.into_iter().chain(message).chain(fields);
    let object: Map<String, Value> = all.map(|(key, value)| (key.to_owned(), json!(value))).collect();
    ascii(&Value::Object(object).to_string()) + "\n"
}

/// Escapes everything but printable ASCII, so that the line is safe on a terminal and still JSON.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            ' '..='~' => text.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_whatever_the_path_is() {
        let line = json_line(
            "2026-05-26T08:14:22.281Z".to_owned(),
            "made it",
            [("path", "/a\n\"\u{202e}🏠".to_owned())],
        );
        assert!(line.trim_end_matches('\n').chars().all(|letter| (' '..='~').contains(&letter)), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "info");
        assert_eq!(line["path"], "/a\n\"\u{202e}🏠");
    }
}
