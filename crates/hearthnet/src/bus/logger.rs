//! Loggers of the bus.

use obs_facade::{Logger, RateLimited};

// Users name this logger in filters such as `hearthnet.node=debug`. It keeps its name when files move.
const NAME: &str = "hearthnet::node";

pub(super) static LOG: Logger = Logger::new(NAME);
/// Logger of lines that callers can provoke without end.
pub(super) static LIMITED: RateLimited = RateLimited::new(Logger::new(NAME));
