//! Sources of the report.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use obs_facade::http::Checkup;
use serde_json::Value;

use super::disk::LogDisk;
use crate::bus::Bus;
use crate::config::Config;
use crate::state::run_marker::LastRun;
use crate::watch::events::Events;

/// Sources of the report.
pub(crate) struct Status {
    pub(super) bus: Arc<Bus>,
    pub(super) checkup: Checkup,
    pub(super) events: Events,
    pub(super) disk: LogDisk,
    pub(super) started_at: DateTime<Utc>,
    pub(super) last_run: LastRun,
    pub(super) address: SocketAddr,
    pub(super) is_doctor_remote: bool,
    /// Model of the language model that this node offers.
    pub(super) model: Option<String>,
    pub(super) members: Option<usize>,
    /// Level of this node in its community.
    pub(super) profile: Option<String>,
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
