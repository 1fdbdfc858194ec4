//! Source of the console's data.

use std::path::PathBuf;
use std::sync::Arc;

use obs_console::api::{
    Doctor, Families, LogLines, LogQuery, Overview, Peers, Problems, Series, SeriesQuery, TraceDetail,
    TraceQuery, Traces, Window,
};
use obs_console::{Download, Failure, Source, Tail};

use super::node::ConsoleNode;
use super::overview::Sources;
use super::past::Past;
use super::{doctor, logs, metrics, overview, problems, traces};
use crate::config::ObservabilityConfig;
use crate::http::Checkup;

/// Source of the console's data: this process, and the files that it keeps.
///
/// ```no_run
/// use std::sync::Arc;
/// use obs_facade::console::{ConsoleNode, NodeSource, Settings, router};
/// use obs_facade::{ObservabilityConfig, doctor, http::Checkup};
/// # struct Ada;
/// # impl ConsoleNode for Ada {
/// #     fn id(&self) -> String { String::new() }
/// #     fn name(&self) -> String { String::new() }
/// #     fn version(&self) -> String { String::new() }
/// # }
/// # fn start(settings: Settings) -> axum::Router {
/// let config = ObservabilityConfig::new("/var/log/hearthnet");
/// let checkup = Checkup::new(doctor::Config::default(), Arc::new(doctor::NoBus));
/// let source = NodeSource::new(&config, Arc::new(Ada), checkup);
/// router(Arc::new(source), settings) // to be merged into the server's
/// # }
/// ```
pub struct NodeSource {
    node: Arc<dyn ConsoleNode>,
    checkup: Checkup,
    log_dir: PathBuf,
    past: Past,
}

impl NodeSource {
    /// Creates the source for a node with this configuration, which [`configure`](crate::configure) has applied.
    pub fn new(config: &ObservabilityConfig, node: Arc<dyn ConsoleNode>, checkup: Checkup) -> NodeSource {
        let folder = (config.keeps_history() == Some(true)).then(|| config.history_dir());
        NodeSource { node, checkup, log_dir: config.log_dir().to_owned(), past: Past { folder } }
    }
}

impl Source for NodeSource {
    fn overview(&self, window: &Window) -> Result<Overview, Failure> {
        let sources = Sources {
            node: &*self.node,
            checkup: &self.checkup,
            past: &self.past,
            problems: problems::problems(&self.past),
        };
        overview::overview(&sources, window)
    }

    fn series(&self, query: &SeriesQuery) -> Result<Series, Failure> {
        metrics::series(&self.past, query)
    }

    fn traces(&self, query: &TraceQuery) -> Result<Traces, Failure> {
        traces::list(query)
    }

    fn trace(&self, id: &str, peers: bool) -> Result<TraceDetail, Failure> {
        traces::detail(&*self.node, &self.log_dir, id, peers)
    }

    fn logs(&self, query: &LogQuery) -> Result<LogLines, Failure> {
        logs::search(&self.log_dir, query)
    }

    fn download(&self, query: &LogQuery) -> Result<Box<dyn Download>, Failure> {
        logs::download(&self.log_dir, query)
    }

    fn tail(&self, query: &LogQuery) -> Result<Box<dyn Tail>, Failure> {
        logs::tail(&self.log_dir, query)
    }

    fn families(&self) -> Result<Families, Failure> {
        Ok(metrics::families(|family| self.past.keeps(family)))
    }

    fn doctor(&self, run: bool) -> Result<Doctor, Failure> {
        doctor::report(&self.checkup, run)
    }

    fn problems(&self) -> Result<Problems, Failure> {
        problems::problems(&self.past)
    }

    fn mute(&self, problem: &str, until: Option<u64>) -> Result<(), Failure> {
        problems::mute(&self.past, problem, until)
    }

    fn peers(&self) -> Result<Peers, Failure> {
        Ok(self.node.peers())
    }
}

impl std::fmt::Debug for NodeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeSource")
            .field("log_dir", &self.log_dir)
            .field("past", &self.past)
            .finish_non_exhaustive()
    }
}
