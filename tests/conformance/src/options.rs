//! The program's arguments.

use std::path::PathBuf;

use lexopt::prelude::*;

/// Cases to run, and their target.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Workspace's root folder.
    pub(crate) root: PathBuf,
    /// Built `hearthnet` command.
    pub(crate) node: Option<PathBuf>,
    /// Address of a running node. Only black-box cases run then.
    pub(crate) target: Option<String>,
    pub(crate) suites: Vec<String>,
    /// `suite/name`, or a name alone.
    pub(crate) cases: Vec<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) require_oracles: bool,
    pub(crate) list: bool,
    /// Renew pinned files instead of comparing with them.
    pub(crate) bless: bool,
}

impl Options {
    pub(crate) fn from_env() -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("root") => options.root = args.value()?.into(),
                Long("node") => options.node = Some(args.value()?.into()),
                Long("target") => options.target = Some(base_url(args.value()?.string()?)?),
                Long("suite") => options.suites.push(args.value()?.string()?),
                Long("case") => options.cases.push(args.value()?.string()?),
                Long("json") => options.json = Some(args.value()?.into()),
                Long("require-oracles") => options.require_oracles = true,
                Long("list") => options.list = true,
                Long("bless") => options.bless = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Parses `http://host:port` and removes a closing slash. TLS is not supported.
fn base_url(url: String) -> Result<String, lexopt::Error> {
    match url.strip_prefix("http://") {
        Some(rest) if !rest.trim_end_matches('/').is_empty() => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(format!("--target takes http://host:port, not {url:?}").into()),
    }
}
