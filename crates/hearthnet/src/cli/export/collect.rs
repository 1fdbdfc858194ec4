//! Contents of the archive.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use obs_facade::doctor::Limits;
use serde_json::{Value, json};

use super::archive::{Content, Entry};
use super::logs::{self, Logs};
use super::{LeftOut, history, settings};
use crate::cli::ask::{self, Bounds};
use crate::cli::doctor;
use crate::cli::log::period::Period;
use crate::cli::log::time::Zone;
use crate::cli::node_url::NodeUrl;
use crate::config::Config;
use crate::config::paths::Paths;
use crate::state::event_log;

/// Contents of the archive, and what it lacks.
pub(super) struct Collected {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<LeftOut>,
    /// ID and name of the node.
    pub(super) node: Value,
}

/// Bounds of an answer of the node. Ten thousand traces are the largest.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), bytes: 256 << 20 };

/// Answer of the node that belongs to the archive.
struct OfNode {
    what: &'static str,
    route: &'static str,
    query: &'static [(&'static str, &'static str)],
    path: &'static str,
}

/// Route of the completed traces.
const COMPLETED: &str = "/trace/recent";

const OF_NODE: [OfNode; 4] = [
    OfNode {
        what: "traces",
        route: COMPLETED,
        query: &[("n", "10000"), ("span_ids", "true")],
        path: "traces/recent.json",
    },
    OfNode { what: "running traces", route: "/trace/active", query: &[], path: "traces/active.json" },
    OfNode { what: "metrics", route: "/metrics", query: &[], path: "metrics.txt" },
    OfNode { what: "status", route: "/status", query: &[], path: "status.json" },
];

/// Collects the contents. Those with a time are of the `period`.
pub(super) fn collect(config: &Config, config_file: &Path, paths: &Paths, period: &Period) -> Collected {
    let mut collected = Collected {
        entries: Vec::new(),
        left_out: Vec::new(),
        node: json!({ "id": obs_facade::doctor::device_node_id(&config.identity.keys_dir), "name": config.node_name() }),
    };
    collected.add(
        "settings",
        "settings/config.toml",
        settings::read(config_file, &mut settings::redacted_text),
    );
    // The doctor's report comes before the log, so that its own lines are in the log.
    let report = doctor::report(config.for_doctor(paths), config.local_address(), Limits::default());
    collected.add("doctor", "doctor.json", Ok(report));
    collected.add_of_node(&NodeUrl::of(config.local_address()), period);
    collected.add_community(config, period);
    collected.add_logs(config.observability.log_dir(), period);
    collected
}

impl Collected {
    /// Adds a text, or the reason for which there is none.
    fn add(&mut self, what: &'static str, path: &str, text: Result<String, String>) {
        match text {
            Ok(text) => self.entries.push(Entry {
                path: path.to_owned(),
                modified: Utc::now(),
                content: Content::Text(text),
            }),
            Err(why) => self.left_out.push(LeftOut { what, why }),
        }
    }

    /// Adds what only a running node knows.
    fn add_of_node(&mut self, node: &NodeUrl, period: &Period) {
        for OfNode { what, route, query, path } in OF_NODE {
            let text = match ask::get(&node.route(route, query), BOUNDS) {
                Ok(answer) if answer.status == 200 => {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    Ok(if route == COMPLETED { traces_of(text, period) } else { text })
                }
                Ok(answer) => Err(format!("the server on {node} answered {}", answer.status)),
                Err(error) => Err(ask::no_answer(node, &error).to_string()),
            };
            self.add(what, path, text);
        }
    }

    fn add_community(&mut self, config: &Config, period: &Period) {
        let own = obs_facade::doctor::device_node_id(&config.identity.keys_dir);
        let Some(id) = config.community.community_id.clone().or(own) else {
            let why = "the node has no community yet; `hearthnet init` founds one".to_owned();
            self.left_out.push(LeftOut { what: "events", why });
            return;
        };
        let dir = config.community_dir(&id);
        let manifest = dir.join("manifest.json");
        let read = |file: &Path| {
            std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
        };
        self.add("community", "community/manifest.json", read(&manifest));
        self.add("events", "history/events.jsonl", history::read(&event_log::file(&dir), period));
    }

    fn add_logs(&mut self, log_dir: &Path, period: &Period) {
        let logs = if period.is_all() { logs::open(log_dir) } else { logs::select(log_dir, period) };
        match logs {
            Ok(Logs { entries, unopened }) => {
                if entries.is_empty() && unopened.is_empty() {
                    let why = match period.is_all() {
                        true => format!("{} has no log files", log_dir.display()),
                        false => format!("no lines{}", period.described(Zone::Local)),
                    };
                    self.left_out.push(LeftOut { what: "log", why });
                }
                self.entries.extend(entries);
                let why = |(name, error): (String, std::io::Error)| LeftOut {
                    what: "log",
                    why: format!("cannot read {name}: {error}"),
                };
                self.left_out.extend(unopened.into_iter().map(why));
            }
            Err(error) => {
                let why = format!("cannot read {}: {error}", log_dir.display());
                self.left_out.push(LeftOut { what: "log", why });
            }
        }
    }
}

/// Returns the answer with the traces that began in the period. An answer of another form stays as it is.
fn traces_of(text: String, period: &Period) -> String {
    if period.is_all() {
        return text;
    }
    let Ok(mut answer) = serde_json::from_str::<Value>(&text) else { return text };
    let Some(traces) = answer["traces"].as_array_mut() else { return text };
    traces.retain(|trace| {
        let began = trace["started_at"].as_str().and_then(|began| began.parse().ok());
        began.is_none_or(|began| period.has(began))
    });
    answer.to_string()
}
