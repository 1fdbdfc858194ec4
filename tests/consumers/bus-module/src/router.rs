//! The bus module: routes a call to the node that offers its capability.

use std::fmt;
use std::sync::LazyLock;

use obs_facade::metrics::CounterFamily;
use obs_facade::{Logger, exception, info, metrics, trace, warn_limited};

static LOG: Logger = Logger::new(module_path!());
static ROUTED: LazyLock<CounterFamily<2>> =
    LazyLock::new(|| metrics::counter("routed_total", "Calls that were routed.", ["capability", "result"]));

/// Call to route.
pub(crate) struct Request<'a> {
    pub(crate) capability: &'a str,
}

/// A node that offers a capability.
pub(crate) struct Node {
    pub(crate) id: &'static str,
    pub(crate) capability: &'static str,
    pub(crate) quarantined: bool,
    pub(crate) up: bool,
}

/// Reason why a call failed.
#[derive(Debug, PartialEq)]
pub(crate) enum BusError {
    NotFound,
    Partition,
}

impl BusError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Partition => "partition",
        }
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "nobody offers the capability",
            Self::Partition => "the node does not answer",
        })
    }
}

impl std::error::Error for BusError {}

/// Table of the nodes that offer each capability.
pub(crate) struct Router {
    nodes: Vec<Node>,
}

impl Router {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    /// Routes a call as a trace of its own.
    pub(crate) async fn serve(&self, req: Request<'_>) -> Result<String, BusError> {
        trace::new_trace(req.capability).scope(self.route(req)).await
    }

    /// Sends a call to the node that offers its capability.
    ///
    /// # Errors
    /// No node offers the capability, or the node does not answer.
    async fn route(&self, req: Request<'_>) -> Result<String, BusError> {
        let answer = self.send(&req).await;
        let result = answer.as_ref().map_or_else(BusError::code, |_| "ok");
        if let (Err(err), Some(current)) = (&answer, trace::current_trace()) {
            current.fail(err.code());
        }
        ROUTED.with([req.capability, result]).inc();
        answer
    }

    async fn send(&self, req: &Request<'_>) -> Result<String, BusError> {
        let entry = self.pick(req)?;
        info!(logger: LOG, capability = req.capability, to:% = entry.id, ms = 12; "routed");
        if entry.quarantined {
            warn_limited!(LOG, "peer_quarantined", node:% = entry.id; "peer is quarantined");
        }
        let answer = trace::span("forward").field("to", entry.id).wrap(forward(entry)).await;
        if let Err(err) = &answer {
            exception!(LOG, err, capability = req.capability; "forwarding failed");
        }
        answer
    }

    fn pick(&self, req: &Request<'_>) -> Result<&Node, BusError> {
        self.nodes.iter().find(|node| node.capability == req.capability).ok_or(BusError::NotFound)
    }
}

async fn forward(entry: &Node) -> Result<String, BusError> {
    if entry.up { Ok(format!("an answer of {}", entry.id)) } else { Err(BusError::Partition) }
}

#[cfg(test)]
mod tests {
    use obs_facade::testing::Capture;

    use super::*;

    fn router(up: bool) -> Router {
        Router::new(vec![Node { id: "7H4G-Y9KL", capability: "llm.chat", quarantined: false, up }])
    }

    #[tokio::test]
    async fn a_call_is_logged_counted_and_traced() {
        let obs = Capture::new();
        let router = router(true);
        let call = router.serve(Request { capability: "llm.chat" });
        assert_eq!(obs.scope(call).await.as_deref(), Ok("an answer of 7H4G-Y9KL"));
        let line = obs.logs();
        let line = line.single("routed").field("capability", "llm.chat").field("to", "7H4G-Y9KL");
        assert_eq!(line.json()["logger"], "bus_module.router");
        assert_eq!(obs.metrics().value("routed_total", [("result", "ok")]), 1.0);
        assert_eq!(obs.traces().last().spans().len(), 1);
    }

    #[tokio::test]
    async fn a_node_that_is_down_fails_the_trace() {
        let obs = Capture::new();
        let router = router(false);
        let call = router.serve(Request { capability: "llm.chat" });
        assert_eq!(obs.scope(call).await, Err(BusError::Partition));
        obs.logs()
            .single("forwarding failed")
            .field("level", "error")
            .field("error", "the node does not answer");
        assert_eq!(obs.metrics().value("routed_total", [("result", "partition")]), 1.0);
        assert_eq!(obs.traces().last().status().as_str(), "partition");
    }
}
