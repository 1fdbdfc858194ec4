//! The node's surroundings: reachability of the internet, event log, blobs folder, and steps of the clock.

pub(crate) mod beat;
pub(crate) mod blobs;
pub(crate) mod clock;
pub(crate) mod emergency;
pub(crate) mod events;

use obs_facade::Logger;

static LOG: Logger = Logger::new(module_path!());
