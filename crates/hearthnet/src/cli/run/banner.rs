//! Lines that a node prints on stdout at its start.

use std::fmt::Display;
use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat, TimeZone, Utc};
use obs_facade::{ConsoleAccess, LogConsole, log};
use serde_json::{Map, Value, json};

use crate::cli::output::{print, say};
use crate::cli::overrides::Overrides;
use crate::cli::trace::text::age;
use crate::config::Config;
use crate::state::create_once::Creation;
use crate::state::run_marker::{Ended, LastRun};
use crate::wire::clock;

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

    /// Prints that the last run did not end in order, and that lines of it were recovered.
    pub(super) fn last_run(self, last: &LastRun) {
        let recovered = log::stats().recovered;
        let Some(message) = ending(last, recovered, Local::now()) else { return };
        match self {
            Banner::Text => say(format_args!("hearthnet: {message}")),
            Banner::Json => {
                let at = last.at.map(clock::text).unwrap_or_default();
                say_json(&message, [("last_sign_of_life", at), ("recovered_lines", recovered.to_string())]);
            }
        }
    }

    /// Prints where the node listens, the places of its records, and who can read them.
    pub(super) fn listening(self, config: &Config, config_file: &Path, overrides: &Overrides) {
        let log_dir = config.observability.log_dir().display();
        let (all, address) = (config.address(), config.local_address());
        let (open, unused) = (open_to_network(config), config.notes.unused.join(", "));
        match self {
            Banner::Text => {
                say(format_args!("hearthnet: listening on http://{all}"));
                say(format_args!("  metrics  http://{address}/metrics"));
                say(format_args!("  traces   http://{address}/trace/recent"));
                if let Some(console) = console(config) {
                    say(format_args!("  console  {console}"));
                }
                say(format_args!("  log      {log_dir}  (hearthnet log --follow{})", overrides.for_files()));
                say(format_args!("  checks   hearthnet doctor{}", overrides.for_node()));
                say(format_args!("  status   hearthnet status{}", overrides.for_node()));
                say(format_args!("  config   {}", config_file.display()));
                if !unused.is_empty() {
                    say(format_args!("  unused   {unused}  (settings of a later version)"));
                }
                if let Some(open) = open {
                    say(format_args!("  open     the network can read {open} without credentials"));
                    say(format_args!("           {CLOSE} under [transport] closes it, to peers too"));
                }
            }
            Banner::Json => {
                let message = format!("listening on http://{all}");
                let open = open.map_or_else(
                    || "nothing".to_owned(),
                    |open| format!("{open}; {CLOSE} in [transport] closes it"),
                );
                say_json(
                    &message,
                    [
                        ("console", console(config).unwrap_or_default()),
                        ("log_dir", log_dir.to_string()),
                        ("readable_from_network_without_credentials", open),
                        ("unused_settings", unused),
                    ],
                );
            }
        }
    }
}

/// Setting that limits the node to this machine.
const CLOSE: &str = "host = \"127.0.0.1\"";

/// Returns the address of the console; `None` if there is none.
fn console(config: &Config) -> Option<String> {
    (config.observability.console_access() != ConsoleAccess::Off)
        .then(|| format!("http://{}{}", config.local_address(), crate::console::PATH))
}

/// Returns the paths with records that other machines can read without credentials; `None` if the node listens on
/// loopback only.
fn open_to_network(config: &Config) -> Option<&'static str> {
    match config.observability.is_doctor_remote() {
        _ if config.address().ip().to_canonical().is_loopback() => None,
        true => Some("/metrics, /trace/recent and /doctor"),
        false => Some("/metrics and /trace/recent"),
    }
}

/// Describes the end of the last run if its owner has to know of it.
fn ending<Tz: TimeZone<Offset: Display>>(
    last: &LastRun,
    recovered: u64,
    now: DateTime<Tz>,
) -> Option<String> {
    let is_any_recovered = recovered > 0;
    let recovered = match recovered {
        0 => "; 0 log lines recovered".to_owned(),
        1 => "; 1 log line recovered".to_owned(),
        n => format!("; {n} log lines recovered"),
    };
    if last.ended != Ended::Killed {
        // Another node that shares the folder of the log may have been killed.
        return is_any_recovered
            .then(|| format!("a process that was killed left lines of the log{recovered}"));
    }
    let why = match last.machine_restarted {
        true => "did not end in order, and the machine has restarted since",
        false => "was killed",
    };
    let at = last.at.map(|at| {
        let ago = now.clone().signed_duration_since(at);
        let shown = at.with_timezone(&now.timezone()).format("%Y-%m-%d %H:%M:%S %:z");
        let ago = match ago.num_seconds() {
            // The two times are of one clock, which somebody may have set.
            ..0 => "later than now: the clock was set back".to_owned(),
            _ => age(ago.num_milliseconds()),
        };
        format!(": last sign of life {shown} ({ago})")
    });
    Some(format!("the last run {why}{}{recovered}", at.unwrap_or_default()))
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
    fn an_end_out_of_order_is_told_with_its_time() {
        let at = clock::parse("2026-05-26T08:14:22Z");
        let killed = LastRun { ended: Ended::Killed, at, machine_restarted: false };
        let told = |last: &LastRun, recovered, now: &str| ending(last, recovered, clock::parse(now).unwrap());
        assert_eq!(
            told(&killed, 12, "2026-05-26T08:18:22Z").unwrap(),
            "the last run was killed: last sign of life 2026-05-26 08:14:22 +00:00 (4 min ago); 12 log lines recovered"
        );
        let crashed = LastRun { machine_restarted: true, ..killed.clone() };
        let text = told(&crashed, 0, "2026-05-26T08:18:22Z").unwrap();
        assert!(
            text.contains("machine has restarted") && text.ends_with("(4 min ago); 0 log lines recovered"),
            "{text}"
        );
        let text = told(&killed, 1, "2026-05-25T08:14:22Z").unwrap();
        assert!(text.contains("the clock was set back") && text.ends_with("1 log line recovered"), "{text}");
        let in_order = LastRun { ended: Ended::InOrder, ..killed };
        assert_eq!(told(&in_order, 0, "2026-05-26T08:18:22Z"), None);
        assert!(told(&LastRun::UNKNOWN, 3, "2026-05-26T08:18:22Z").unwrap().contains("3 log lines"));
    }

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
