//! `hearthnet man`: manual pages of the commands.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::output::{not_written, print, say, say_on_stderr};
use crate::failure::Failure;
use crate::nearest::did_you_mean;

/// Prints the manual page of a command, or writes the pages of all commands to a folder.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManualArgs {
    /// Command of the page, such as `trace recent` [default: the page of hearthnet itself].
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write one page for each command to this folder. A missing folder is created.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  hearthnet man trace recent | man -l -
  hearthnet man --out ~/.local/share/man/man1";

/// Runs the command. `root` is the whole command line.
pub(crate) fn run(args: &ManualArgs, root: Command) -> Result<(), Failure> {
    // The help of a command is its page already.
    let mut root = root.disable_help_subcommand(true);
    // Gives each command its full name and the options of all commands.
    root.build();
    match &args.out {
        Some(folder) => write_all(&root, folder),
        None => print_one(&root, &args.command),
    }
}

fn print_one(root: &Command, path: &[String]) -> Result<(), Failure> {
    let command = path.iter().try_fold(root, |command, name| {
        command.find_subcommand(name).ok_or_else(|| no_such_command(command, name))
    })?;
    print(&page(command)).map_err(|error| not_written(&error))?;
    if io::stdout().is_terminal() {
        let words: String = path.iter().map(|name| format!(" {name}")).collect();
        say_on_stderr(format_args!(
            "this is the source of the page; read it with `hearthnet man{words} | man -l -`"
        ));
    }
    Ok(())
}

fn no_such_command(parent: &Command, name: &str) -> Failure {
    let known: Vec<&str> = shown(parent).map(Command::get_name).collect();
    let parent = parent.get_bin_name().unwrap_or("hearthnet");
    let list = match known.is_empty() {
        true => format!("`{parent}` has no subcommands"),
        false => format!("expected one of {}", known.join(", ")),
    };
    let meant = did_you_mean(name, known);
    Failure::usage(format!("no command `{name}` below `{parent}`; {list}{meant}"))
}

fn write_all(root: &Command, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
    let mut commands = vec![root];
    let mut count = 0;
    while let Some(command) = commands.pop() {
        commands.extend(shown(command));
        let file = folder.join(Man::new(command.clone()).get_filename());
        fs::write(&file, page(command)).map_err(|error| Failure::io("write", &file, &error))?;
        count += 1;
    }
    say(format_args!("wrote {count} pages to {}", folder.display()));
    Ok(())
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// Returns the source of the page of `command`.
fn page(command: &Command) -> String {
    let mut source = Vec::new();
    // Writing to a `Vec` cannot fail.
    let _ = Man::new(command.clone()).manual("HearthNet").render(&mut source);
    String::from_utf8_lossy(&source).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::CommandLine;

    #[test]
    fn every_command_has_a_page_with_its_full_name() {
        let folder = tempfile::tempdir().unwrap();
        let args = ManualArgs { command: Vec::new(), out: Some(folder.path().join("man1")) };
        run(&args, CommandLine::command()).unwrap();
        let text = |name: &str| fs::read_to_string(folder.path().join("man1").join(name)).unwrap();
        assert!(text("hearthnet.1").contains("hearthnet\\-trace(1)"));
        let recent = text("hearthnet-trace-recent.1");
        assert!(recent.contains("hearthnet\\-trace\\-recent \\-"), "{recent}");
        assert!(recent.contains("\\-\\-config"), "{recent}");
    }

    #[test]
    fn an_unknown_command_is_refused_with_the_known_ones() {
        let refused = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            run(&ManualArgs { command, out: None }, CommandLine::command()).unwrap_err().to_string()
        };
        let message = refused(&["trace", "recnet"]);
        assert!(message.contains("below `hearthnet trace`; expected one of recent"), "{message}");
        assert!(message.ends_with("; did you mean `recent`?"), "{message}");
        assert!(refused(&["version", "x"]).contains("`hearthnet version` has no subcommands"));
    }
}
