//! `hearthnet log`: shows the log of a node, formatted or as JSON.

mod context;
mod empty;
pub(in crate::cli) mod filter;
pub(crate) mod level;
pub(in crate::cli) mod line;
mod options;
mod pager;
pub(in crate::cli) mod period;
mod printer;
pub(in crate::cli) mod progress;
pub(in crate::cli) mod time;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use obs_facade::doctor::render::TextStyle;
use obs_facade::log::reader::{Last, Reader, Window};

use self::context::Selection;
use self::line::Paint;
pub(crate) use self::options::{LogArgs, LogCommand};
use self::pager::Output;
use self::printer::Printer;
use self::progress::Progress;
use crate::cli::output::{not_written, say_on_stderr};
use crate::failure::Failure;

/// Interval between two looks at followed files.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows the day files in `log_dir`, oldest first.
pub(crate) fn run(args: &LogArgs, log_dir: &Path) -> Result<ExitCode, Failure> {
    let (filter, wanted) = args.filter(Utc::now())?;
    if !log_dir.is_dir() {
        let folder = log_dir.display();
        return Err(Failure::error(format!("no log folder at {folder}; `hearthnet run` creates it")));
    }
    let mut reader = Reader::of(log_dir, filter.window.clone());
    let is_terminal = io::stdout().is_terminal();
    let pages = is_terminal && !args.follow && !args.no_pager;
    let output = Output::new(if pages { pager::of_environment() } else { None });
    let selection = Selection::new(args.context, args.last_lines());
    let shows_progress = is_terminal && !args.follow && io::stderr().is_terminal();
    let progress = Progress::new(shows_progress, reader.length().unwrap_or(0));
    let paint = Paint::new(&TextStyle::for_stdout(args.color), args.zone());
    let mut printer = Printer::new(filter, selection, paint, args.json, log_dir, output, progress);

    let shown = show(args, &mut reader, &mut printer);
    let Printer { tally, opened_all, out, .. } = printer;
    // After the last line there is only the rest of the output.
    let is_output = shown.is_ok() || out.has_failed();
    match shown.and(out.finish()) {
        Ok(()) => {}
        // A reader that has closed the pipe, or quit the pager, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) if is_output => return Err(not_written(&error)),
        Err(error) => {
            return Err(Failure::error(format!("cannot show the log in {}: {error}", log_dir.display())));
        }
    }
    if let Some(name) = args.component.as_deref()
        && let Some(problem) = empty::unknown(name, &tally)
    {
        return Err(Failure::usage(problem));
    }
    // No line was asked for with `--lines 0`.
    if tally.is_empty() && args.last_lines() != Some(0) {
        let first = Reader::of(log_dir, Window::default()).first_time().unwrap_or(None);
        say_on_stderr(empty::explanation(&wanted, &tally, first, args.zone()));
    }
    Ok(if opened_all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows the lines. With `--follow`, it ends with the reader of the output.
fn show(args: &LogArgs, reader: &mut Reader, printer: &mut Printer) -> io::Result<()> {
    if let Some(lines) = args.last_lines() {
        printer.search(|counts, passed| {
            reader.begin_at(Last { lines, context: args.context, counts, passed }, args.follow)
        })?;
    }
    let mut is_first = true;
    loop {
        reader.read_new(args.follow, |file, piece| printer.print(file, piece))?;
        printer.release()?;
        printer.out.flush()?;
        if !args.follow {
            return Ok(());
        }
        if std::mem::take(&mut is_first)
            && let Some(name) = args.component.as_deref()
            && let Some(problem) = empty::unknown(name, &printer.tally)
        {
            say_on_stderr(problem);
        }
        printer.out.pause(LOOK_AGAIN)?;
    }
}
