//! What the node measures of its surroundings, each as gauges that stay current while it runs: whether the internet
//! is up, and what is kept on disk.

pub(crate) mod blobs;
pub(crate) mod emergency;
pub(crate) mod events;

use obs_facade::Logger;

static LOG: Logger = Logger::new(module_path!());
