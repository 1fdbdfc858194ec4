//! `hearthnet log`: shows the log of a node, formatted or as JSON.

pub(in crate::cli) mod files;
pub(in crate::cli) mod filter;
pub(crate) mod level;
pub(in crate::cli) mod line;
mod pause;

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::files::{FileName, Piece, Reader};
use self::filter::{Filter, Level};
use self::line::{Line, Paint};
use crate::cli::output::say_on_stderr;
use crate::cli::visible::{visible, visible_json};

/// Interval between two looks at followed files.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows the log of the node.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LogCommand>,
    /// Wait for new lines and show them, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Show lines of this level and above.
    #[arg(long, value_name = "L")]
    level: Option<Level>,
    /// Show loggers with this name in their path: `bus` and `bus.router` select `hearthnet.bus.router`.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Print the JSON lines of the files.
    #[arg(long)]
    json: bool,
}

/// Commands below `hearthnet log`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    Level(level::LevelArgs),
}

/// Shows the day files in `log_dir`, oldest first.
pub(crate) fn run(args: &LogArgs, log_dir: &Path) -> ExitCode {
    if !log_dir.is_dir() {
        say_on_stderr(format!("no log folder at {}; `hearthnet run` creates it", log_dir.display()));
        return ExitCode::FAILURE;
    }
    match show(args, log_dir) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // A reader that has closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say_on_stderr(format!("cannot show the log in {}: {error}", log_dir.display()));
            ExitCode::FAILURE
        }
    }
}

/// Shows the lines, and returns whether every file could be opened.
fn show(args: &LogArgs, log_dir: &Path) -> io::Result<bool> {
    let mut reader = Reader::new(log_dir);
    let mut printer = Printer::new(args, log_dir);
    loop {
        reader.read_new(args.follow, |file, piece| printer.print(file, piece))?;
        printer.out.flush()?;
        if !args.follow {
            return Ok(printer.opened_all);
        }
        pause::pause(printer.out.get_ref(), LOOK_AGAIN)?;
    }
}

/// Output of the selected lines.
struct Printer {
    filter: Filter,
    json: bool,
    is_terminal: bool,
    paint: Paint,
    /// Day of the last line shown.
    day: String,
    dir: PathBuf,
    /// Whether every file could be opened.
    opened_all: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Printer {
    fn new(args: &LogArgs, dir: &Path) -> Printer {
        Printer {
            filter: Filter::new(args.level, args.component.as_deref()),
            json: args.json,
            is_terminal: io::stdout().is_terminal(),
            paint: Paint::new(&TextStyle::for_stdout(ColorChoice::Auto)),
            day: String::new(),
            dir: dir.to_owned(),
            opened_all: true,
            out: BufWriter::with_capacity(64 << 10, io::stdout().lock()),
        }
    }

    fn print(&mut self, file: &FileName, piece: Piece<'_>) -> io::Result<()> {
        let bytes = match piece {
            Piece::Line(bytes) if self.filter.surely_hides(bytes) => return Ok(()),
            Piece::Line(bytes) => bytes,
            Piece::TooLong(beginning) => return self.print_damaged(&line::damaged(file, beginning)),
            Piece::Unreadable(error) => {
                return self
                    .print_damaged(&format!("{file} is damaged ({error}); the rest of it is skipped"));
            }
            Piece::Unopened(error) => {
                self.opened_all = false;
                return self.say(format_args!("cannot read {file}: {error}; its lines are skipped"));
            }
            Piece::Packed(unpacker) => {
                let (path, command) = (self.dir.join(file.to_string()), unpacker.command);
                return self.say(format_args!(
                    "{file} is skipped: only gzip is supported; unpack it with `{command} {}`",
                    path.display()
                ));
            }
            Piece::Truncated(from, to) => {
                let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
                let (from, to) = (time(from), time(to));
                return self.say(format_args!(
                    "{file} was truncated; lines written between {from} and {to} may be missing"
                ));
            }
        };
        match Line::parse(bytes) {
            None => self.print_damaged(&line::damaged(file, bytes)),
            Some(line) if !self.filter.shows(line.level, &line.logger) => Ok(()),
            // A program reads the bytes of the file. A terminal must not obey them.
            Some(_) if self.json && self.is_terminal => {
                self.out.write_all(visible_json(&String::from_utf8_lossy(bytes)).as_bytes())
            }
            Some(_) if self.json => {
                self.out.write_all(bytes)?;
                self.out.write_all(b"\n")
            }
            Some(line) => self.print_pretty(&line),
        }
    }

    fn print_pretty(&mut self, line: &Line) -> io::Result<()> {
        let day = line.day();
        if self.day != day {
            // A time of day needs its date where the day changes.
            if !self.day.is_empty() {
                writeln!(self.out, "{}", self.paint.dim(day))?;
            }
            self.day = day.to_owned();
        }
        writeln!(self.out, "{}", line.pretty(self.paint))
    }

    /// Prints a message about a file on stderr, after the lines before it.
    fn say(&mut self, line: impl Display) -> io::Result<()> {
        self.out.flush()?;
        say_on_stderr(line);
        Ok(())
    }

    /// Prints a message about damage between the lines. With --json it goes to stderr.
    fn print_damaged(&mut self, shown: &str) -> io::Result<()> {
        if self.json {
            say_on_stderr(shown.to_owned());
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.damaged(&visible(shown)))
    }
}
