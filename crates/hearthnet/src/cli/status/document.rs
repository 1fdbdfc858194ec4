//! The document of `GET /status`, as far as the screen shows it.
//!
//! Fields that are missing are taken as unknown, so that the command also reads the document of an older node.

use serde::Deserialize;

/// Version of the document that this command reads.
const VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
pub(super) struct Document {
    version: u32,
    pub(super) node: Node,
    #[serde(default)]
    pub(super) last_run: Option<LastRun>,
    #[serde(default)]
    pub(super) listening: Vec<Listening>,
    #[serde(default)]
    pub(super) open_without_credentials: Vec<String>,
    #[serde(default)]
    pub(super) community: Community,
    #[serde(default)]
    pub(super) capabilities: Vec<Capability>,
    #[serde(default)]
    pub(super) peers: Vec<Peer>,
    #[serde(default)]
    pub(super) recent: Recent,
    #[serde(default)]
    pub(super) callers: Callers,
    #[serde(default)]
    pub(super) disk: Disk,
    #[serde(default)]
    pub(super) drops: Drops,
    #[serde(default)]
    pub(super) exports: Vec<Exporting>,
    #[serde(default)]
    pub(super) checks: Checks,
    #[serde(default)]
    pub(super) problems: Problems,
    #[serde(default)]
    pub(super) lamport_head: Option<i64>,
    #[serde(default)]
    pub(super) calls_in_flight: u64,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Document, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match document.version {
            VERSION => Ok(document),
            other => Err(format!("its version is {other}, and this command reads {VERSION}")),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) commit: String,
    #[serde(default)]
    pub(super) uptime_seconds: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct LastRun {
    pub(super) ended: String,
    #[serde(default)]
    pub(super) at: Option<String>,
    #[serde(default)]
    pub(super) machine_restarted: bool,
    #[serde(default)]
    pub(super) recovered_lines: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Listening {
    pub(super) address: String,
    #[serde(default)]
    pub(super) reachable_from: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Community {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) members: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Capability {
    pub(super) name: String,
    #[serde(default)]
    pub(super) local: bool,
    #[serde(default)]
    pub(super) model: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Peer {
    #[serde(default)]
    pub(super) node_id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) since: Option<String>,
    #[serde(default)]
    pub(super) error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Recent {
    #[serde(default)]
    pub(super) window_seconds: u64,
    #[serde(default)]
    pub(super) requests: u64,
    #[serde(default)]
    pub(super) errors: u64,
    #[serde(default)]
    pub(super) by_capability: Vec<Counted>,
    #[serde(default)]
    pub(super) causes: Vec<Cause>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Counted {
    pub(super) capability: String,
    #[serde(default)]
    pub(super) requests: u64,
    #[serde(default)]
    pub(super) errors: u64,
    #[serde(default)]
    pub(super) p50_ms: Option<f64>,
    #[serde(default)]
    pub(super) p99_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cause {
    pub(super) capability: String,
    pub(super) code: String,
    pub(super) cause: String,
    #[serde(default)]
    pub(super) count: u64,
    #[serde(default)]
    pub(super) last_at: Option<String>,
    #[serde(default)]
    pub(super) trace_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Callers {
    #[serde(default)]
    pub(super) top: Vec<Caller>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Caller {
    #[serde(default)]
    pub(super) node_id: Option<String>,
    #[serde(default)]
    pub(super) address: Option<String>,
    #[serde(default)]
    pub(super) calls: u64,
    #[serde(default)]
    pub(super) refused: u64,
    #[serde(default)]
    pub(super) errors: u64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Disk {
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) free_bytes: Option<u64>,
    #[serde(default)]
    pub(super) total_bytes: Option<u64>,
    #[serde(default)]
    pub(super) log_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Drops {
    #[serde(default)]
    pub(super) log_lines: u64,
    #[serde(default)]
    pub(super) log_write_errors: u64,
    #[serde(default)]
    pub(super) log_crash_safe: bool,
    #[serde(default)]
    pub(super) spans: u64,
    #[serde(default)]
    pub(super) history: Option<History>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct History {
    #[serde(default)]
    pub(super) minutes: u64,
    #[serde(default)]
    pub(super) traces: u64,
    #[serde(default)]
    pub(super) failing: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Exporting {
    #[serde(default)]
    pub(super) signal: String,
    #[serde(default)]
    pub(super) endpoint: String,
    #[serde(default)]
    pub(super) exported: u64,
    #[serde(default)]
    pub(super) dropped: u64,
    #[serde(default)]
    pub(super) failed: u64,
    #[serde(default)]
    pub(super) failing_since: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Problems {
    /// `None` from a node that does not tell it.
    #[serde(default)]
    pub(super) open: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Checks {
    #[serde(default)]
    pub(super) ran_at: Option<String>,
    #[serde(default)]
    pub(super) failed: Vec<Check>,
    #[serde(default)]
    pub(super) warned: Vec<Check>,
    #[serde(default)]
    pub(super) passed: u64,
    #[serde(default)]
    pub(super) skipped: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Check {
    pub(super) name: String,
    #[serde(default)]
    pub(super) detail: String,
}
