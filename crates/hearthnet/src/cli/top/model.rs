//! Answer of `/status`, as the view needs it.
//!
//! The answer comes from a node that may be newer, broken or hostile. A field that is missing or of another type counts
//! as empty, so that it hides nothing else. Texts are made harmless here, and lists and texts are bounded.

use serde_json::Value;

use crate::cli::visible::{visible, visible_ascii};

/// Maximum number of rows of a list. A node sends fewer.
const MAX_ROWS: usize = 1_000;
/// Maximum number of characters of a text. A cause with its chain fits.
const MAX_TEXT: usize = 1_000;

/// Losses of the records of a node.
const LOSSES: [(&str, &str); 4] = [
    ("/log_lines", "log lines lost"),
    ("/log_write_errors", "log write errors"),
    ("/spans", "spans lost"),
    ("/span_fields", "span fields lost"),
];
/// Losses of exports, which `exports` has for each signal.
const EXPORT: &str = "export";
/// Lines that a rate limit left out. The log counts them, so that they are no loss.
const HELD_BACK: &str = "log_lines_held_back";

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Status {
    pub(super) node: Node,
    pub(super) last_run: LastRun,
    pub(super) window_seconds: u64,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) since_start: Option<Totals>,
    pub(super) in_flight: u64,
    pub(super) capabilities: Vec<Capability>,
    pub(super) causes: Vec<Cause>,
    pub(super) callers: Vec<Caller>,
    pub(super) peers: Vec<Peer>,
    pub(super) disk: Disk,
    /// Names and numbers of records that were lost since the start, without those that are 0.
    pub(super) drops: Vec<(String, u64)>,
    /// Whether a kill of the node would lose lines of its log.
    pub(super) is_log_unsafe: bool,
    /// Signals whose export fails.
    pub(super) failing_exports: Vec<String>,
    pub(super) open_problems: u64,
    pub(super) checks: Checks,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) profile: String,
    pub(super) version: String,
    pub(super) commit: String,
    pub(super) pid: u64,
    pub(super) uptime_seconds: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LastRun {
    pub(super) ended: String,
    pub(super) at: String,
    pub(super) has_machine_restarted: bool,
    pub(super) recovered_lines: u64,
}

/// Counts since the start of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) errors: u64,
}

/// Capability with its calls in the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Capability {
    pub(super) name: String,
    /// Nodes that offer it. Empty if none does at the moment.
    pub(super) nodes: Vec<String>,
    pub(super) is_local: bool,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) in_flight: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cause {
    pub(super) capability: String,
    pub(super) code: String,
    pub(super) cause: String,
    pub(super) count: u64,
    pub(super) first_at: String,
    pub(super) last_at: String,
    pub(super) trace_id: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Caller {
    /// Empty for a caller that did not sign.
    pub(super) node_id: String,
    pub(super) address: String,
    pub(super) calls: u64,
    pub(super) refused: u64,
    pub(super) errors: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Peer {
    pub(super) node_id: String,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) state: String,
    pub(super) since: String,
    pub(super) error: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Disk {
    pub(super) path: String,
    pub(super) free_bytes: Option<u64>,
    pub(super) total_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checks {
    pub(super) ran_at: String,
    pub(super) passed: u64,
    pub(super) skipped: u64,
    pub(super) failed: Vec<Check>,
    pub(super) warned: Vec<Check>,
}

/// Check that failed or warned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) fix: String,
}

impl Peer {
    pub(super) fn answers(&self) -> bool {
        self.state == "answers"
    }
}

impl Status {
    /// Reads the body of an answer. With `ascii`, texts have no characters beyond ASCII. Returns `None` if the body is
    /// no status at all.
    pub(super) fn parse(body: &[u8], ascii: bool) -> Option<Status> {
        let json: Value = serde_json::from_slice(body).ok()?;
        // Every node names itself. Another server with JSON has no such field.
        json.get("node")?.as_object()?;
        Some(Reader { ascii }.status(&json))
    }
}

struct Reader {
    ascii: bool,
}

impl Reader {
    fn status(&self, json: &Value) -> Status {
        let recent = &json["recent"];
        Status {
            node: self.node(&json["node"]),
            last_run: LastRun {
                ended: self.text(&json["last_run"]["ended"]),
                at: self.text(&json["last_run"]["at"]),
                has_machine_restarted: json["last_run"]["machine_restarted"] == true,
                recovered_lines: number(&json["last_run"]["recovered_lines"]),
            },
            window_seconds: number(&recent["window_seconds"]),
            requests: number(&recent["requests"]),
            errors: number(&recent["errors"]),
            since_start: totals(recent),
            in_flight: number(&json["calls_in_flight"]),
            capabilities: self.capabilities(&json["capabilities"], &recent["by_capability"]),
            causes: rows(&recent["causes"]).map(|json| self.cause(json)).collect(),
            callers: rows(&json["callers"]["top"]).map(|json| self.caller(json)).collect(),
            peers: rows(&json["peers"]).map(|json| self.peer(json)).collect(),
            disk: Disk {
                path: self.text(&json["disk"]["path"]),
                free_bytes: json["disk"]["free_bytes"].as_u64(),
                total_bytes: json["disk"]["total_bytes"].as_u64(),
            },
            drops: self.drops(&json["drops"], &json["exports"]),
            is_log_unsafe: json["drops"]["log_crash_safe"] == false,
            failing_exports: self.failing_exports(&json["exports"]),
            open_problems: number(&json["problems"]["open"]),
            checks: self.checks(&json["checks"]),
        }
    }

    fn node(&self, json: &Value) -> Node {
        Node {
            id: self.text(&json["id"]),
            name: self.text(&json["name"]),
            profile: self.text(&json["profile"]),
            version: self.text(&json["version"]),
            commit: self.text(&json["commit"]),
            pid: number(&json["pid"]),
            uptime_seconds: number(&json["uptime_seconds"]),
        }
    }

    /// Joins what is offered and what was called. A capability that was called need not be offered any more.
    fn capabilities(&self, offered: &Value, called: &Value) -> Vec<Capability> {
        let mut all: Vec<Capability> = Vec::new();
        for json in rows(called) {
            let found = entry(&mut all, self.text(&json["capability"]));
            found.requests = number(&json["requests"]);
            found.errors = number(&json["errors"]);
            found.p50_ms = milliseconds(&json["p50_ms"]);
            found.p95_ms = milliseconds(&json["p95_ms"]);
            found.p99_ms = milliseconds(&json["p99_ms"]);
            found.in_flight = number(&json["in_flight"]);
        }
        for json in rows(offered) {
            let found = entry(&mut all, self.text(&json["name"]));
            found.is_local |= json["local"] == true;
            found.nodes.push(self.text(&json["node"]));
        }
        all
    }

    fn cause(&self, json: &Value) -> Cause {
        Cause {
            capability: self.text(&json["capability"]),
            code: self.text(&json["code"]),
            cause: self.text(&json["cause"]),
            count: number(&json["count"]),
            first_at: self.text(&json["first_at"]),
            last_at: self.text(&json["last_at"]),
            trace_id: self.text(&json["trace_id"]),
        }
    }

    fn caller(&self, json: &Value) -> Caller {
        Caller {
            node_id: self.text(&json["node_id"]),
            address: self.text(&json["address"]),
            calls: number(&json["calls"]),
            refused: number(&json["refused"]),
            errors: number(&json["errors"]),
        }
    }

    fn peer(&self, json: &Value) -> Peer {
        Peer {
            node_id: self.text(&json["node_id"]),
            name: self.text(&json["name"]),
            url: self.text(&json["url"]),
            state: self.text(&json["state"]),
            since: self.text(&json["since"]),
            error: self.text(&json["error"]),
        }
    }

    fn drops(&self, json: &Value, exports: &Value) -> Vec<(String, u64)> {
        let known = LOSSES.iter().map(|(path, name)| ((*name).to_owned(), json.pointer(path)));
        // A newer node may count more.
        let is_new = |name: &str| {
            ![HELD_BACK, EXPORT].contains(&name) && LOSSES.iter().all(|(path, _)| path[1..] != *name)
        };
        let more = json.as_object().into_iter().flatten().filter(|(name, _)| is_new(name)).take(MAX_ROWS);
        let more = more.map(|(name, value)| (self.harmless(&name.replace('_', " ")), Some(value)));
        let exports = rows(exports).flat_map(|export| {
            let signal = self.text(&export["signal"]);
            let lost = [("dropped", "not exported"), ("failed", "refused")];
            lost.map(|(name, what)| (format!("{signal} {what}"), Some(&export[name])))
        });
        let all = known.chain(more).chain(exports).map(|(name, value)| (name, value.map_or(0, number)));
        all.filter(|(_, count)| *count > 0).collect()
    }

    fn failing_exports(&self, json: &Value) -> Vec<String> {
        let failing = rows(json).filter(|export| export["failing_since"].is_string());
        failing.map(|export| self.text(&export["signal"])).collect()
    }

    fn checks(&self, json: &Value) -> Checks {
        let check = |json: &Value| Check {
            name: self.text(&json["name"]),
            detail: self.text(&json["detail"]),
            fix: self.text(&json["fix"]),
        };
        Checks {
            ran_at: self.text(&json["ran_at"]),
            passed: count(&json["passed"]),
            skipped: count(&json["skipped"]),
            failed: rows(&json["failed"]).map(check).collect(),
            warned: rows(&json["warned"]).map(check).collect(),
        }
    }

    fn text(&self, json: &Value) -> String {
        self.harmless(json.as_str().unwrap_or_default())
    }

    fn harmless(&self, text: &str) -> String {
        let (head, cut) = match text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => (&text[..end], if self.ascii { "~" } else { "…" }),
            None => (text, ""),
        };
        let harmless = if self.ascii { visible_ascii(head) } else { visible(head) };
        harmless + cut
    }
}

fn rows(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten().take(MAX_ROWS)
}

fn number(json: &Value) -> u64 {
    json.as_u64().unwrap_or_default()
}

/// Returns a number, or the length of a list.
fn count(json: &Value) -> u64 {
    json.as_array().map_or_else(|| number(json), |list| list.len() as u64)
}

fn milliseconds(json: &Value) -> Option<f64> {
    json.as_f64().filter(|ms| *ms >= 0.0)
}

fn totals(recent: &Value) -> Option<Totals> {
    Some(Totals {
        requests: recent["requests_since_start"].as_u64()?,
        errors: recent["errors_since_start"].as_u64()?,
    })
}

/// Returns the capability `name`, which is added if it is not there.
fn entry(all: &mut Vec<Capability>, name: String) -> &mut Capability {
    let at = all.iter().position(|known| known.name == name).unwrap_or_else(|| {
        all.push(Capability { name, ..Capability::default() });
        all.len() - 1
    });
    &mut all[at]
}
