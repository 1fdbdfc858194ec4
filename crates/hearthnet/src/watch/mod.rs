//! Gauges of the node's surroundings: reachability of the internet, event log, and blobs folder.

pub(crate) mod blobs;
pub(crate) mod emergency;
pub(crate) mod events;

use obs_facade::Logger;

static LOG: Logger = Logger::new(module_path!());
