//! `hearthnet log`: the day files of a node, for people or, with `--json`, as they are.

mod files;
mod filter;
mod line;
mod pause;

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::files::{FileName, Piece, Reader};
use self::filter::{Filter, Level};
use self::line::{Line, Paint};
use crate::cli::output::say_on_stderr;

/// How often a followed file is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows the node's log.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Go on with what is logged from now on, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Only this level and the more important ones.
    #[arg(long, value_name = "L")]
    level: Option<Level>,
    /// Only loggers with this name in their path: `bus` and `bus.router` show `hearthnet.bus.router`.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// The lines as they stand in the files.
    #[arg(long)]
    json: bool,
}

/// Shows the day files in `log_dir`, oldest first.
pub(crate) fn run(args: &LogArgs, log_dir: &Path) -> ExitCode {
    if !log_dir.is_dir() {
        say_on_stderr(format!("no log folder at {}; `hearthnet run` makes it", log_dir.display()));
        return ExitCode::FAILURE;
    }
    match show(args, log_dir) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say_on_stderr(format!("cannot show the log in {}: {error}", log_dir.display()));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every file could be opened.
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

/// Writes the lines that are wanted.
struct Printer {
    filter: Filter,
    json: bool,
    paint: Paint,
    /// The day of the last line shown.
    day: String,
    dir: PathBuf,
    /// No file was refused.
    opened_all: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Printer {
    fn new(args: &LogArgs, dir: &Path) -> Printer {
        Printer {
            filter: Filter::new(args.level, args.component.as_deref()),
            json: args.json,
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
                    .print_damaged(&format!("{file} is damaged ({error}); the rest of it is left out"));
            }
            Piece::Unopened(error) => {
                self.opened_all = false;
                return self.say(format_args!("cannot read {file}: {error}; its lines are left out"));
            }
            Piece::Packed(unpacker) => {
                let (path, command) = (self.dir.join(file.to_string()), unpacker.command);
                return self.say(format_args!(
                    "{file} is left out: only gzip is read here; unpack it with `{command} {}`",
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
            // Between days, so that a time of day is not taken for another day's.
            if !self.day.is_empty() {
                writeln!(self.out, "{}", self.paint.dim(day))?;
            }
            self.day = day.to_owned();
        }
        writeln!(self.out, "{}", line.pretty(self.paint))
    }

    /// Says something of a file on stderr, after the lines before it.
    fn say(&mut self, line: impl Display) -> io::Result<()> {
        self.out.flush()?;
        say_on_stderr(line);
        Ok(())
    }

    /// Damage is shown where it stands; what reads JSON gets it on stderr instead.
    fn print_damaged(&mut self, shown: &str) -> io::Result<()> {
        if self.json {
            say_on_stderr(shown.to_owned());
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.damaged(shown))
    }
}
