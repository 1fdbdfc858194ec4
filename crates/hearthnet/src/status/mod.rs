//! The node's report of itself, `GET /status`, for callers on this machine.
//!
//! `docs/status.schema.json` describes the document. The command `hearthnet status` shows it.

mod disk;
mod document;
mod route;

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use obs_facade::http::Checkup;
use serde_json::Value;

use self::disk::LogDisk;
pub(crate) use self::route::routes;
use crate::bus::Bus;
use crate::config::Config;
use crate::state::run_marker::LastRun;
use crate::watch::events::Events;

/// What the report is made from.
pub(crate) struct Status {
    bus: Arc<Bus>,
    checkup: Checkup,
    events: Events,
    disk: LogDisk,
    started_at: DateTime<Utc>,
    last_run: LastRun,
    address: SocketAddr,
    is_doctor_remote: bool,
    /// Model of the language model that this node offers.
    model: Option<String>,
    members: Option<usize>,
    /// Level of this node in its community.
    profile: Option<String>,
}

impl Status {
    /// Prepares the report. `community` is the manifest of the community.
    pub(crate) fn new(
        config: &Config,
        bus: Arc<Bus>,
        checkup: Checkup,
        events: Events,
        community: &Value,
        last_run: LastRun,
    ) -> Arc<Status> {
        let members = community["members"].as_array();
        let us = |member: &&Value| member["node_id"] == bus.node_id();
        let level = members.and_then(|members| members.iter().find(us)?["level"].as_str());
        Arc::new(Status {
            profile: level.map(str::to_owned),
            members: members.map(Vec::len),
            model: config.llm.backends.first().and_then(|backend| backend.model.clone()),
            is_doctor_remote: config.observability.is_doctor_remote(),
            address: config.address(),
            started_at: Utc::now(),
            last_run,
            disk: LogDisk::new(config.observability.log_dir()),
            events,
            checkup,
            bus,
        })
    }
}
