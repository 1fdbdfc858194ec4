//! State that the cases of one run share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::case::{Outcome, Stop};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::options::Options;
use crate::scale::chains::Chains;

/// The workspace, the built command, and a node for the black-box cases.
pub(crate) struct Lab {
    root: PathBuf,
    node: Option<PathBuf>,
    target: Option<String>,
    require_oracles: bool,
    bless: bool,
    shared: OnceLock<Outcome<Node>>,
    chains: OnceLock<Outcome<Chains>>,
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
            chains: OnceLock::new(),
        })
    }

    /// Returns the workspace's root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tells whether this run renews pinned files.
    pub(crate) fn blesses(&self) -> bool {
        self.bless
    }

    /// Returns the built `hearthnet` command.
    pub(crate) fn hearthnet(&self) -> Outcome<&Path> {
        self.node.as_deref().ok_or_else(|| Stop::Skip("no hearthnet command was given".into()))
    }

    /// Returns whether the black-box cases ask a node that somebody else runs.
    pub(crate) fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Returns the address for black-box cases: the target, or a node that all of them share.
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

    /// Returns the servers that the cases about many nodes share. The first use starts them.
    pub(crate) fn chains(&self, start: impl FnOnce(&Self) -> Outcome<Chains>) -> Outcome<&Chains> {
        self.chains.get_or_init(|| start(self)).as_ref().map_err(Clone::clone)
    }

    /// Returns the outcome of a case whose outside checker is not installed.
    pub(crate) fn oracle_missing(&self, oracle: &str) -> Stop {
        if self.require_oracles {
            return crate::case::failed(
                format!("{oracle} is installed (--require-oracles)"),
                "not installed",
            );
        }
        Stop::Skip(format!("not installed: {oracle}"))
    }

    /// Returns the command line that runs one case again.
    pub(crate) fn reproduce(&self, path: &str) -> String {
        let target = self.target.as_ref().map(|url| format!(" --target {url}")).unwrap_or_default();
        format!("cargo xtask conformance --case {path}{target}")
    }
}
