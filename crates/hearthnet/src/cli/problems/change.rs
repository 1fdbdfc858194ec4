//! Silences of problems, set and ended in the running node.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::output::{not_written, print, safe_line};
use crate::cli::status::hidden_or_absent;
use crate::failure::Failure;
use crate::problems::silence::Wish;

/// Bounds of the answer. It has the list.
const ANSWER: Bounds = Bounds { time: Duration::from_secs(5), bytes: 16 << 20 };

/// Sends the wish for a problem to the node, and says what became of it.
pub(super) fn send(node: &NodeUrl, id: &str, wish: &Wish) -> Result<(), Failure> {
    let is_id = id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        let advice = "the number of a problem has ten hexadecimal digits; `hearthnet problems` lists them";
        return Err(Failure::usage(advice));
    }
    let url = node.route(&format!("/problems/{id}"), &[]);
    let (status, body) = ask::send(node, (Method::PUT, url), Some(wish), ANSWER)?;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    match status {
        StatusCode::OK if answer["problems"].is_array() => {
            print(&safe_line(told(id, &answer))).map_err(|error| not_written(&error))
        }
        StatusCode::OK => Err(ask::another_server(node)),
        // The node says so of a problem. Of a route that it hides, it says another thing.
        StatusCode::NOT_FOUND if ask::refusal(&body).contains(id) && answer["error"] == "not_found" => {
            Err(Failure::error(ask::refusal(&body)))
        }
        StatusCode::NOT_FOUND => Err(hidden_or_absent(node, "problems")),
        StatusCode::BAD_REQUEST => Err(Failure::usage(ask::refusal(&body))),
        status => Err(Failure::error(format!(
            "the node on {node} answered {}: {}",
            status.as_u16(),
            ask::refusal(&body)
        ))),
    }
}

fn told(id: &str, answer: &Value) -> String {
    let problems = answer["problems"].as_array().into_iter().flatten();
    let problem = problems.into_iter().find(|problem| problem["id"] == id);
    let text = |key: &str| problem.and_then(|problem| problem[key].as_str()).unwrap_or("?");
    match text("state") {
        "muted" => format!("{id} is muted until {}: {}", text("muted_until"), text("title")),
        state => format!("{id} is {state}: {}", text("title")),
    }
}
