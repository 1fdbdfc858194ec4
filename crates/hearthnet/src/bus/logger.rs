//! Logger of the bus.

use obs_facade::Logger;

// Users name this logger in filters such as `hearthnet.node=debug`. It keeps its name when files move.
pub(super) static LOG: Logger = Logger::new("hearthnet::node");
