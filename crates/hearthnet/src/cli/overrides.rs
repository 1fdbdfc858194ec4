//! Options that every command takes.

use std::path::PathBuf;

use clap::Args;

/// What is given on the command line instead of what would be usual.
#[derive(Debug, Default, Args)]
pub(crate) struct Overrides {
    /// The configuration file, instead of the one in the configuration folder.
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// The port of the node, instead of the configured one.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}

impl Overrides {
    /// What to give again to a command that is to find the same files.
    pub(crate) fn for_files(&self) -> String {
        self.config.as_ref().map(|file| format!(" --config {}", file.display())).unwrap_or_default()
    }

    /// What to give again to a command that is to find the same node.
    pub(crate) fn for_node(&self) -> String {
        let port = self.port.map(|port| format!(" --port {port}")).unwrap_or_default();
        self.for_files() + &port
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::CommandLine;

    #[test]
    fn f4_hints_name_the_same_node_again() {
        let parse = |line: &str| CommandLine::parse_from(line.split_whitespace()).overrides;
        let plain = parse("hearthnet run");
        assert_eq!((plain.for_files(), plain.for_node()), (String::new(), String::new()));
        let given = parse("hearthnet run --port 7081 --config /etc/b.toml");
        assert_eq!(given.for_files(), " --config /etc/b.toml");
        assert_eq!(given.for_node(), " --config /etc/b.toml --port 7081");
    }
}
