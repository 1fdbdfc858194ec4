//! Options of every command.

use std::path::PathBuf;

use clap::Args;
use obs_facade::doctor::shell_path;

/// Values on the command line that replace those of the configuration.
#[derive(Debug, Default, Args)]
pub(crate) struct Overrides {
    /// Configuration file [default: config.toml in the configuration folder].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Port of the node, instead of the configured one. A new configuration gets it.
    // Port 0 would be another one at each start, and no other command would find the node.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}

impl Overrides {
    /// Returns the options that make another command find the same files, in the form that a shell takes.
    pub(crate) fn for_files(&self) -> String {
        self.config.as_ref().map(|file| format!(" --config {}", shell_path(file))).unwrap_or_default()
    }

    /// Returns the options that make another command find the same node.
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
    fn hints_repeat_the_options_for_the_same_node() {
        let parse = |line: &str| CommandLine::parse_from(line.split_whitespace()).overrides;
        let plain = parse("hearthnet run");
        assert_eq!((plain.for_files(), plain.for_node()), (String::new(), String::new()));
        let spaced =
            CommandLine::parse_from(["hearthnet", "run", "--config", "/srv/my dir/it's.toml"]).overrides;
        assert_eq!(spaced.for_node(), r" --config '/srv/my dir/it'\''s.toml'");
        let given = parse("hearthnet run --port 7081 --config /etc/b.toml");
        assert_eq!(given.for_files(), " --config /etc/b.toml");
        assert_eq!(given.for_node(), " --config /etc/b.toml --port 7081");
    }
}
