//! The list of problems, from the running node or from the file of the last one.

use std::time::Duration;

use chrono::Utc;
use obs_facade::history::ErrorKind;
use obs_facade::history::problems::{Problems, Stored};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::status::hidden_or_absent;
use crate::config::Config;
use crate::failure::{Failure, NOT_RUNNING};
use crate::problems::document;
use crate::wire::clock;

/// Bounds of an answer. A list of all problems with the longest texts is smaller.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 16 << 20 };

/// Version of the document that this command reads.
const FORMAT: u64 = 1;

/// The list as the node tells it, and its problems as far as they are shown.
#[derive(Debug)]
pub(super) struct List {
    pub(super) json: Value,
    pub(super) problems: Vec<Shown>,
}

/// Problem as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    pub(super) id: String,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) level: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) muted_until: Option<String>,
    #[serde(default)]
    pub(super) count: u64,
    #[serde(default)]
    pub(super) first_seen: String,
    #[serde(default)]
    pub(super) last_seen: String,
    #[serde(default)]
    pub(super) example: String,
    #[serde(default)]
    pub(super) trace_id: Option<String>,
}

impl List {
    /// Asks the node. If none runs and the caller named none, reads what the last one stored, and returns a note about that.
    pub(super) fn of_node_or_file(
        node: &NodeUrl,
        is_named: bool,
        config: &Config,
    ) -> Result<(List, Option<String>), Failure> {
        match List::of_node(node) {
            Err(failure) if failure.code() == NOT_RUNNING && !is_named => List::of_file(config, &failure),
            list => Ok((list?, None)),
        }
    }

    fn of_node(node: &NodeUrl) -> Result<List, Failure> {
        let response =
            ask::get(&node.route("/problems", &[]), BOUNDS).map_err(|error| ask::no_answer(node, &error))?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        match response.status {
            200 => serde_json::from_str(&text).ok().and_then(List::read).ok_or_else(|| {
                Failure::error(format!(
                    "the server on {node} answered with no list of problems; see whether another program has the port, or \
                     whether the node has another version than this command"
                ))
            }),
            404 => Err(hidden_or_absent(node, "problems")),
            status => {
                Err(Failure::error(format!("the node on {node} answered {status}: {}", ask::refusal(&text))))
            }
        }
    }

    fn of_file(config: &Config, no_node: &Failure) -> Result<(List, Option<String>), Failure> {
        let stored =
            Stored::read(&config.observability.history_dir()).map_err(|error| match error.kind() {
                ErrorKind::Missing if config.observability.keeps_history() == Some(false) => {
                    Failure::not_running(format!(
                        "{no_node}. Nothing is stored, because `[observability] history` is false"
                    ))
                }
                ErrorKind::Missing => {
                    Failure::not_running(format!("{no_node}. No node has stored problems yet"))
                }
                _ => Failure::error(error.to_string()),
            })?;
        let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        // A silence may have ended since then.
        let problems = Problems::new();
        problems.restore(stored.problems, now_ms);
        problems.tick(now_ms);
        let json = document::of(&problems.list(), Some(stored.stored_at_ms));
        let list = List::read(json).ok_or_else(|| Failure::error("the stored problems cannot be read"))?;
        let at = clock::text(document::moment(stored.stored_at_ms));
        Ok((list, Some(format!("no node is running; these problems were stored at {at}"))))
    }

    fn read(json: Value) -> Option<List> {
        let problems = Vec::deserialize(json.get("problems")?).ok()?;
        (json.get("format")?.as_u64() == Some(FORMAT)).then_some(List { json, problems })
    }

    /// Returns the list without muted problems and those that are over. The numbers of all states stay.
    pub(super) fn open_only(mut self) -> List {
        self.problems.retain(|problem| problem.state == "open");
        if let Some(problems) = self.json.get_mut("problems").and_then(Value::as_array_mut) {
            problems.retain(|problem| problem["state"] == "open");
        }
        self
    }
}
