//! `experimental.node.status`: load, memory and uptime of this machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use obs_facade::trace;
use serde_json::{Value, json};
use sysinfo::System;

use crate::bus::answer::Answer;
use crate::bus::capability::{Answering, Capability};
use crate::wire::arguments::Call;
use crate::wire::error::Code;

pub(super) const NAME: &str = "experimental.node.status";

pub(super) struct Status {
    node_id: String,
    started: Instant,
    // Held for one reading. Two readings at once would halve each other's interval of CPU usage.
    system: Arc<Mutex<System>>,
}

impl Status {
    pub(super) fn new(node_id: &str) -> Status {
        let mut system = System::new();
        // CPU usage is the difference between two readings. This is the first one.
        system.refresh_cpu_usage();
        Status { node_id: node_id.to_owned(), started: Instant::now(), system: Arc::new(Mutex::new(system)) }
    }
}

impl Capability for Status {
    fn call(&self, _call: Call) -> Answering {
        let (system, node_id) = (self.system.clone(), self.node_id.clone());
        let uptime = self.started.elapsed().as_secs();
        Box::pin(async move {
            // The facade's `spawn_blocking` keeps the trace: spans and lines of the thread belong to the call.
            let machine = trace::spawn_blocking(move || look(&system)).await;
            let mut output =
                machine.map_err(|_| Code::INTERNAL_ERROR.because("cannot look at the machine"))?;
            output["node_id"] = json!(node_id);
            output["version"] = json!(env!("CARGO_PKG_VERSION"));
            output["uptime_seconds"] = json!(uptime);
            Ok(Answer::Plain { output, meta: json!({}) })
        })
    }
}

/// Reads the state of the machine, which may block. Disks are left out: listing them hangs on a dead network mount.
fn look(system: &Mutex<System>) -> Value {
    let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
    system.refresh_cpu_usage();
    system.refresh_memory();
    let load = System::load_average();
    json!({
        "cpu": { "cores": system.cpus().len(), "usage_percent": system.global_cpu_usage() },
        "load_average": [load.one, load.five, load.fifteen],
        "memory": {
            "total_bytes": system.total_memory(),
            "used_bytes": system.used_memory(),
            "available_bytes": system.available_memory(),
            "swap_used_bytes": system.used_swap(),
        },
        "machine_uptime_seconds": System::uptime(),
    })
}
