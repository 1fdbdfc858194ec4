//! Logger of the bus.

use obs_facade::Logger;

// Filters such as `hearthnet.node=debug` name it. The name stays when a file moves.
pub(super) static LOG: Logger = Logger::new("hearthnet::node");
