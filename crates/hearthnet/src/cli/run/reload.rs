//! Reload of the configuration, which a service manager asks for with SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;

use obs_facade::{Guard, LogConsole, Logger, ObservabilityConfig, info, warn};

use super::notes;
use super::service_manager::{self, Message};
use crate::config::Config;
use crate::config::paths::Paths;
use crate::failure::Failure;
use crate::node::Node;

static LOG: Logger = Logger::new("hearthnet::run");

/// State of the start that a reload needs.
pub(super) struct Reload {
    /// File that was named on the command line.
    pub(super) file: Option<PathBuf>,
    /// Port that was named there.
    pub(super) port: Option<u16>,
    pub(super) paths: Paths,
    pub(super) debug: bool,
    pub(super) node_id: String,
    pub(super) node: Arc<Node>,
    /// Sections that need a restart, as they were at the start.
    pub(super) started_with: Vec<(&'static str, String)>,
    /// Settings that this version does not use and that the start has named.
    pub(super) unused: Vec<String>,
}

/// Reloads at each SIGHUP under a service manager. Never ends.
#[cfg(unix)]
pub(super) async fn on_hangup(reload: Reload) {
    use tokio::signal::unix::{SignalKind, signal};

    if !service_manager::is_present() || super::end_signal::is_ignored(SignalKind::hangup()) {
        return;
    }
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => return warn!(logger: LOG, error:% = error; "cannot listen for a reload"),
    };
    let reload = Arc::new(reload);
    // The last guard flushes, and the one of the start lives longer than this one.
    let mut _guard = None;
    while hangups.recv().await.is_some() {
        let reload = reload.clone();
        let reloaded = tokio::task::spawn_blocking(move || reload.run()).await;
        if let Ok(Some(guard)) = reloaded {
            _guard = Some(guard);
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn on_hangup(_: Reload) {}

impl Reload {
    /// Applies the configuration as it is now. If it is wrong, everything stays as it was.
    fn run(&self) -> Option<Guard> {
        service_manager::tell(&[Message::Reloading]);
        let applied = self.apply();
        match &applied {
            Ok((_, config)) => {
                let needs_restart = self.needs_restart(config).join(", ");
                let (soft, hard) =
                    (config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps);
                let unused = notes::newly_unused(&self.unused, &config.notes);
                info!(
                    logger: LOG, rate_limit_soft_rps = soft, rate_limit_hard_rps = hard,
                    needs_restart = needs_restart, newly_unused = unused; "configuration reloaded"
                );
            }
            Err(failure) => {
                warn!(logger: LOG, error:% = failure; "configuration not reloaded: nothing has changed");
            }
        }
        service_manager::tell(&[Message::Ready]);
        applied.ok().map(|(guard, _)| guard)
    }

    fn apply(&self) -> Result<(Guard, Config), Failure> {
        let mut config = Config::load(self.file.as_deref(), &self.paths)?;
        config.transport.port = self.port.unwrap_or(config.transport.port);
        if let Some(file) = self.file.clone().or_else(|| self.paths.config_file().ok()) {
            notes::require_variables(&config, &file)?;
        }
        let observability = observability(&config, self.debug, &self.node_id);
        let guard = obs_facade::configure(&observability)
            .map_err(|error| Failure::error(format!("cannot set up observability: {error}")))?;
        self.node.set_rate_limits(config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps);
        Ok((guard, config))
    }

    /// Returns the names of sections with changes that only a restart applies.
    fn needs_restart(&self, config: &Config) -> Vec<&'static str> {
        let now = needing_restart(config);
        let changed = self.started_with.iter().zip(&now).filter(|(before, now)| before.1 != now.1);
        changed.map(|(before, _)| before.0).collect()
    }
}

/// Returns the settings that only a restart applies, by section, in a form that can be compared.
pub(super) fn needing_restart(config: &Config) -> Vec<(&'static str, String)> {
    let transport = (config.transport.host, config.transport.port, config.transport.call_timeout_seconds);
    vec![
        ("identity", format!("{:?}", config.identity)),
        ("community", format!("{:?}", config.community)),
        ("transport", format!("{transport:?}")),
        ("discovery", format!("{:?}", config.discovery)),
        ("bus", format!("{:?}", config.bus)),
        ("llm", format!("{:?}", config.llm)),
        ("emergency", format!("{:?}", config.emergency)),
        ("observability.federated", format!("{:?}", config.federated)),
        ("observability.console", config.observability.console_access().as_str().to_owned()),
    ]
}

/// Returns the section with what the command line and the identity add.
pub(super) fn observability(config: &Config, debug: bool, node_id: &str) -> ObservabilityConfig {
    let mut section = config.observability.clone();
    if debug {
        let console = match section.console() {
            LogConsole::Off => LogConsole::Text,
            form => form,
        };
        section = section.log_level("debug").log_console(console);
    }
    section.resource("service.version", env!("CARGO_PKG_VERSION")).resource("service.instance.id", node_id)
}
