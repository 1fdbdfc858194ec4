//! Answers of the node.

use std::time::Duration;

use obs_facade::doctor::machine::HttpResponse;
use reqwest::Url;

use super::model::Status;
use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::status::hidden_or_absent;
use crate::failure::Failure;

/// Bounds of an answer. A node with a thousand peers and capabilities fits.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 4 << 20 };

/// Route of a node, asked again and again.
pub(super) struct Source {
    node: NodeUrl,
    url: Url,
    ascii: bool,
}

impl Source {
    pub(super) fn new(node: NodeUrl, ascii: bool) -> Source {
        Source { url: node.route("/status", &[]), node, ascii }
    }

    /// Asks for the first time. The failure has the exit code 3 if no node is there.
    pub(super) fn first(&self) -> Result<Status, Failure> {
        let response = ask::get(&self.url, BOUNDS).map_err(|error| ask::no_answer(&self.node, &error))?;
        if response.status == 404 {
            return Err(hidden_or_absent(&self.node, "top"));
        }
        let bad = |why| Failure::error(format!("bad answer of the server on {}: {why}", self.node));
        self.read(&response).map_err(bad)
    }

    /// Asks again. The error is the reason for which there is no status.
    pub(super) fn ask(&self) -> Result<Status, String> {
        self.read(&ask::get(&self.url, BOUNDS).map_err(|error| error.to_string())?)
    }

    fn read(&self, response: &HttpResponse) -> Result<Status, String> {
        match response.status {
            200 => Status::parse(&response.body, self.ascii)
                .ok_or_else(|| "it is not the status of a HearthNet node".to_owned()),
            status => Err(format!("it has the HTTP status {status}")),
        }
    }
}
