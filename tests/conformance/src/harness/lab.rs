//! What the cases of one run share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::case::{Outcome, Stop};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::options::Options;

/// The workspace, the built node, and a node that runs for the black-box cases.
pub(crate) struct Lab {
    root: PathBuf,
    node: Option<PathBuf>,
    target: Option<String>,
    require_oracles: bool,
    bless: bool,
    shared: OnceLock<Outcome<Node>>,
}

impl Lab {
    pub(crate) fn new(options: &Options) -> Result<Self, std::io::Error> {
        Ok(Self {
            root: std::path::absolute(&options.root)?,
            node: options.node.clone(),
            target: options.target.clone(),
            require_oracles: options.require_oracles,
            bless: options.bless,
            shared: OnceLock::new(),
        })
    }

    /// The workspace's root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether pinned files are renewed in this run.
    pub(crate) fn blesses(&self) -> bool {
        self.bless
    }

    /// The built `hearthnet` command.
    pub(crate) fn hearthnet(&self) -> Outcome<&Path> {
        self.node.as_deref().ok_or_else(|| Stop::Skip("no hearthnet command was given".into()))
    }

    /// The node that black-box cases work on: the target, or one of ours that all of them share.
    pub(crate) fn base(&self) -> Outcome<&str> {
        if let Some(target) = &self.target {
            return Ok(target);
        }
        let shared = self.shared.get_or_init(|| {
            let home = Home::initialised(self)?;
            home.without_rate_limit()?;
            Node::start(home)
        });
        shared.as_ref().map(Node::base).map_err(Clone::clone)
    }

    /// What a case comes to whose outside checker is not installed.
    pub(crate) fn oracle_missing(&self, oracle: &str) -> Stop {
        if self.require_oracles {
            return crate::case::failed(
                format!("{oracle} is installed (--require-oracles)"),
                "not installed",
            );
        }
        Stop::Skip(format!("not installed: {oracle}"))
    }

    /// The command line that runs one case again.
    pub(crate) fn reproduce(&self, path: &str) -> String {
        let target = self.target.as_ref().map(|url| format!(" --target {url}")).unwrap_or_default();
        format!("cargo xtask conformance --case {path}{target}")
    }
}
