//! Sessions of viewers.

use serde::{Deserialize, Serialize};

/// Request of a session by token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Login {
    /// Token of the console.
    pub token: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Session {
    /// Number of the session. It is not its secret.
    pub id: String,
    /// Address of the viewer.
    pub address: String,
    /// Begin.
    pub since: String,
    /// Last request.
    pub last_seen: String,
    /// Whether it is the session of this request.
    pub is_own: bool,
}

/// Open sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Sessions {
    /// Sessions, newest first.
    pub sessions: Vec<Session>,
}

/// Answer to a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Refusal {
    /// `bad_request`, `unauthorized`, `forbidden`, `not_found`, `method_not_allowed`, `payload_too_large`,
    /// `too_many_requests`, `unavailable` or `internal`.
    pub error: String,
    /// Reason.
    pub message: String,
}
