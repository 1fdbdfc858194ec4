//! Output of the selected lines.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::context::{Item, Selection};
use super::filter::{Filter, Tally, Verdict};
use super::line::{self, Line, Paint};
use super::pager::Output;
use super::progress::Progress;
use crate::cli::output::say_on_stderr;
use crate::cli::visible::{visible, visible_json};
use obs_facade::doctor::shell_path;
use obs_facade::log::reader::{FileName, Piece};

/// Output of the selected lines.
pub(super) struct Printer {
    filter: Filter,
    pub(super) tally: Tally,
    selection: Selection,
    json: bool,
    is_terminal: bool,
    paint: Paint,
    dir: PathBuf,
    /// Whether every file could be opened.
    pub(super) opened_all: bool,
    progress: Progress,
    pub(super) out: Output,
}

impl Printer {
    pub(super) fn new(
        filter: Filter,
        selection: Selection,
        paint: Paint,
        json: bool,
        dir: &Path,
        out: Output,
        progress: Progress,
    ) -> Printer {
        let (is_terminal, dir, tally) = (io::stdout().is_terminal(), dir.to_owned(), Tally::default());
        Printer { filter, tally, selection, json, is_terminal, paint, dir, opened_all: true, progress, out }
    }

    /// Runs a search that decides which lines count and shows its progress.
    pub(super) fn search(
        &mut self,
        search: impl FnOnce(
            &mut dyn FnMut(&[u8]) -> bool,
            &mut dyn FnMut(u64) -> io::Result<()>,
        ) -> io::Result<()>,
    ) -> io::Result<()> {
        let (filter, tally, progress, out) =
            (&self.filter, &mut self.tally, &mut self.progress, &mut self.out);
        search(
            &mut |line| matches!(filter.judge(line, tally), Verdict::Shown(_) | Verdict::Damaged),
            &mut |bytes| passed(progress, out, bytes),
        )?;
        self.progress.restart();
        Ok(())
    }

    pub(super) fn print(&mut self, file: &FileName, piece: Piece<'_>) -> io::Result<()> {
        match piece {
            Piece::Line(bytes) => self.print_line(file, bytes),
            Piece::Passed(bytes) => passed(&mut self.progress, &mut self.out, bytes),
            Piece::TooLong(beginning) => match self.filter.judge_damaged(beginning, &mut self.tally) {
                Verdict::Damaged => self.select_damage(line::damaged(file, beginning)),
                _ => Ok(()),
            },
            Piece::Unreadable(error) => {
                self.select_damage(format!("{file} is damaged ({error}); the rest of it is skipped"))
            }
            Piece::Unopened(error) => {
                self.opened_all = false;
                self.say(format_args!("cannot read {file}: {error}; its lines are skipped"))
            }
            Piece::Packed(unpacker) => {
                let (path, command) = (self.dir.join(file.to_string()), unpacker.command);
                self.say(format_args!(
                    "{file} is skipped: only gzip is supported; unpack it with `{command} {}`",
                    shell_path(&path)
                ))
            }
            Piece::Truncated(from, to) => {
                let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
                let (from, to) = (time(from), time(to));
                self.say(format_args!(
                    "{file} was truncated; lines written between {from} and {to} may be missing"
                ))
            }
        }
    }

    /// Prints the lines that were kept until the end of the search.
    pub(super) fn release(&mut self) -> io::Result<()> {
        self.progress.hide();
        self.selection.release();
        self.print_ready()
    }

    fn print_line(&mut self, file: &FileName, bytes: &[u8]) -> io::Result<()> {
        match self.filter.judge(bytes, &mut self.tally) {
            Verdict::Shown(line) if self.selection.is_plain() => self.write(bytes, &line, self.paint),
            Verdict::Shown(_) => {
                self.selection.select(Item::Line(bytes.to_vec()));
                self.print_ready()
            }
            Verdict::Damaged => self.select_damage(line::damaged(file, bytes)),
            Verdict::Hidden if self.selection.has_context() => {
                self.selection.pass(bytes);
                self.print_ready()
            }
            Verdict::Hidden | Verdict::Outside => Ok(()),
        }
    }

    fn select_damage(&mut self, message: String) -> io::Result<()> {
        self.selection.select(Item::Damage(message));
        self.print_ready()
    }

    fn print_ready(&mut self) -> io::Result<()> {
        while let Some(item) = self.selection.next() {
            match item {
                Item::Line(bytes) => self.parse_and_write(&bytes, self.paint)?,
                Item::Context(bytes) => self.parse_and_write(&bytes, self.paint.dimmed())?,
                Item::Damage(message) => self.print_damage(&message)?,
                // grep separates groups of lines in the same way. A program that reads JSON gets lines only.
                Item::Gap if self.json => {}
                Item::Gap => writeln!(self.out, "{}", self.paint.dim("--"))?,
            }
        }
        Ok(())
    }

    fn parse_and_write(&mut self, bytes: &[u8], paint: Paint) -> io::Result<()> {
        match Line::parse(bytes) {
            Some(line) => self.write(bytes, &line, paint),
            None => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8], line: &Line, paint: Paint) -> io::Result<()> {
        self.progress.hide();
        if !self.json {
            return writeln!(self.out, "{}", line.pretty(paint));
        }
        // A program reads the bytes of the file. A terminal must not obey them.
        if self.is_terminal {
            return self.out.write_all(visible_json(&String::from_utf8_lossy(bytes)).as_bytes());
        }
        self.out.write_all(bytes)?;
        self.out.write_all(b"\n")
    }

    /// Prints a message about a file on stderr, after the lines before it.
    fn say(&mut self, line: impl Display) -> io::Result<()> {
        self.progress.hide();
        self.out.flush()?;
        say_on_stderr(line);
        Ok(())
    }

    /// Prints a message about damage between the lines. With --json it goes to stderr.
    fn print_damage(&mut self, shown: &str) -> io::Result<()> {
        self.progress.hide();
        if self.json {
            say_on_stderr(shown);
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.damaged(&visible(shown)))
    }
}

/// Counts bytes that were read. From time to time, it shows the progress, or the lines that were found.
fn passed(progress: &mut Progress, out: &mut Output, bytes: u64) -> io::Result<()> {
    if !progress.is_due(bytes) {
        return Ok(());
    }
    if out.is_pending() {
        progress.hide();
        out.flush()?;
    }
    if out.is_paged() {
        // A user who has quit the pager need not wait for the end of the search.
        return out.pause(Duration::ZERO);
    }
    progress.show();
    Ok(())
}
