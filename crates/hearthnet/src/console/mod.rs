//! The console of the node: its routes, and what the page shows that only the node knows.

mod front;
mod node;
mod parts;
mod peers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use obs_facade::ConsoleAccess;
use obs_facade::console::{NodeSource, Settings, Token, router};
use obs_facade::http::{Checkup, is_local_caller};
use obs_facade::{Logger, warn};

use self::node::OwnNode;
use crate::bus::Bus;
use crate::config::{Config, node_name};

static LOG: Logger = Logger::new(module_path!());

/// Path of the console on the node.
pub(crate) const PATH: &str = "/console";

/// Returns the file of the console's token, in the folder of the node's data.
pub(crate) fn token_file(data: &Path) -> PathBuf {
    data.join("console-token")
}

/// Returns the routes of the console and the page at `/`. `data` is the folder of the node's data.
/// `is_stopping` becomes true when the node stops.
pub(crate) fn routes(
    config: &Config,
    bus: &Arc<Bus>,
    checkup: &Checkup,
    data: &Path,
    is_stopping: Arc<AtomicBool>,
) -> Router {
    let access = config.observability.console_access();
    let front = front::routes(access, config.observability.is_doctor_remote());
    if access == ConsoleAccess::Off {
        return front;
    }
    let node = Arc::new(OwnNode::new(config, bus.clone()));
    let source = NodeSource::new(&config.observability, node, checkup.clone());
    let names = [node_name::of_machine(), format!("{}.local", node_name::of_machine())];
    let settings = Settings::new(access.into(), is_local_caller)
        .stopping(move || is_stopping.load(Ordering::Relaxed))
        .port(config.transport.port)
        .hosts(names.into_iter().filter(|name| !name.is_empty()));
    let settings = match Token::read_or_create(token_file(data)) {
        Ok(token) => settings.token(token),
        Err(error) => {
            // The console goes on for the node's own user, who needs no token.
            warn!(logger: LOG, error:% = error; "the console has no token: only this user and root can open it");
            settings
        }
    };
    front.merge(router(Arc::new(source), settings))
}
