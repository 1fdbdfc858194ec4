//! Input of a check.

use std::fmt;
use std::sync::Arc;

use crate::bus::CapabilityBus;
use crate::config::Config;
use crate::machine::Machine;

/// Configuration, node and machine that a check looks at.
///
/// ```
/// use obs_doctor::{Check, CheckResult};
/// let check = Check::new("port_is_high").run_blocking(|cx| match cx.config.port {
///     1024.. => CheckResult::pass("needs no privilege"),
///     port => CheckResult::warn(format!("port {port} needs a privilege")),
/// });
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Context {
    /// Configuration of the run.
    pub config: Arc<Config>,
    /// The node, or [`NoBus`](crate::NoBus) where none runs.
    pub bus: Arc<dyn CapabilityBus>,
    /// Clock, files, HTTP, sockets and disks. Tests of a check replace them; see [`machine`](crate::machine).
    pub machine: Machine,
}

impl Context {
    pub(crate) fn new(config: &Config, bus: &Arc<dyn CapabilityBus>, machine: &Machine) -> Self {
        Self { config: Arc::new(config.clone()), bus: Arc::clone(bus), machine: machine.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("config", &self.config).finish_non_exhaustive()
    }
}
