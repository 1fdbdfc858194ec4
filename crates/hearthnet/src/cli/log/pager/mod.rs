//! Output of the log: standard output, or a pager at a terminal.

mod interrupt;
mod pause;

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use self::pause::pause;
use crate::cli::output::say_on_stderr;

/// Size of the buffer. It is also the size of a pipe.
const BUFFER: usize = 64 << 10;
/// Pager without a choice of the user: quits if the text fits the screen, keeps colours, and leaves the text there.
const DEFAULT: &str = "less -FRX";

/// Output of the log.
pub(super) struct Output {
    target: Target,
    /// Pager that starts with the first output, so that an empty result needs none.
    pager: Option<String>,
    /// Whether a write has failed, which tells its error from one of reading the log.
    has_failed: bool,
}

enum Target {
    Stdout(BufWriter<StdoutLock<'static>>),
    Pager(BufWriter<ChildStdin>, Child),
}

impl Output {
    /// Creates an output that goes through the pager, if there is one.
    pub(super) fn new(pager: Option<String>) -> Output {
        let target = Target::Stdout(BufWriter::with_capacity(BUFFER, io::stdout().lock()));
        Output { target, pager, has_failed: false }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Returns whether output waits in the buffer.
    pub(super) fn is_pending(&self) -> bool {
        match &self.target {
            Target::Stdout(out) => !out.buffer().is_empty(),
            Target::Pager(out, _) => !out.buffer().is_empty(),
        }
    }

    pub(super) fn is_paged(&self) -> bool {
        matches!(self.target, Target::Pager(..))
    }

    /// Waits, and returns `BrokenPipe` as soon as the output has no reader.
    pub(super) fn pause(&self, time: Duration) -> io::Result<()> {
        match &self.target {
            Target::Stdout(out) => pause(out.get_ref(), time),
            Target::Pager(out, _) => pause(out.get_ref(), time),
        }
    }

    /// Writes the rest, and waits until the user has quit the pager.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.target {
            Target::Stdout(mut out) => out.flush(),
            Target::Pager(out, mut child) => {
                let written = out.into_inner().map(drop).map_err(io::IntoInnerError::into_error);
                child.wait()?;
                written
            }
        }
    }

    fn start(&mut self, pager: &str) {
        // The user's shell syntax counts, as with git.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", pager]).stdin(Stdio::piped());
        if env::var_os("LESS").is_none() {
            command.env("LESS", "FRX");
        }
        match command.spawn() {
            Ok(mut child) => {
                if let Some(input) = child.stdin.take() {
                    interrupt::ignore();
                    self.target = Target::Pager(BufWriter::with_capacity(BUFFER, input), child);
                }
            }
            Err(error) => say_on_stderr(format_args!("cannot start the pager `{pager}`: {error}")),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(pager) = self.pager.take() {
            self.start(&pager);
        }
        let written = match &mut self.target {
            Target::Stdout(out) => out.write(bytes),
            Target::Pager(out, _) => out.write(bytes),
        };
        self.has_failed |= written.as_ref().is_err_and(is_lasting);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.target {
            Target::Stdout(out) => out.flush(),
            Target::Pager(out, _) => out.flush(),
        };
        self.has_failed |= flushed.as_ref().is_err_and(is_lasting);
        flushed
    }
}

/// Whether a write that failed so is not tried again.
fn is_lasting(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::Interrupted
}

/// Returns the pager for a terminal, by the environment. Says so if it is not installed.
pub(super) fn of_environment() -> Option<String> {
    let set = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let path = env::var_os("PATH").unwrap_or_default();
    match choose(set, |program| is_installed(program, &path)) {
        Ok(pager) => pager,
        Err(missing) => {
            say_on_stderr(format_args!(
                "the pager `{missing}` is not installed; set HEARTHNET_PAGER to another one, or to nothing for none"
            ));
            None
        }
    }
}

/// Chooses the pager. An error is the chosen one that is not installed.
fn choose(
    set: impl Fn(&str) -> Option<String>,
    is_installed: impl Fn(&str) -> bool,
) -> Result<Option<String>, String> {
    // Such a terminal cannot move its cursor.
    if set("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        return Ok(None);
    }
    let Some(chosen) = set("HEARTHNET_PAGER").or_else(|| set("PAGER")) else {
        return Ok(is_installed("less").then(|| DEFAULT.to_owned()));
    };
    let chosen = chosen.trim();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/_-.+".contains(letter);
    match chosen.split_whitespace().next() {
        None | Some("cat") => Ok(None),
        // The shell finds what is not the plain name of a program, such as a variable.
        Some(program) if program.chars().all(is_plain) && !is_installed(program) => Err(program.to_owned()),
        Some(_) => Ok(Some(chosen.to_owned())),
    }
}

fn is_installed(program: &str, path: &OsStr) -> bool {
    match program.contains('/') {
        true => Path::new(program).is_file(),
        false => env::split_paths(path).any(|folder| folder.join(program).is_file()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_pager() {
        let chosen = |variables: &[(&str, &str)]| {
            let set = |name: &str| {
                let own =
                    variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
                own.or_else(|| (name == "TERM").then(|| "xterm".to_owned()))
            };
            choose(set, |program| program != "nosuch")
        };
        let pager = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(chosen(&[]), pager("less -FRX"));
        assert_eq!(chosen(&[("PAGER", "more")]), pager("more"));
        assert_eq!(chosen(&[("PAGER", "more"), ("HEARTHNET_PAGER", "less -S")]), pager("less -S"));
        assert_eq!(chosen(&[("PAGER", "\"$EDITOR\" -")]), pager("\"$EDITOR\" -"));
        for none in
            [("PAGER", ""), ("PAGER", "cat"), ("HEARTHNET_PAGER", " "), ("TERM", "dumb"), ("TERM", "")]
        {
            assert_eq!(chosen(&[none]), Ok(None), "{none:?}");
        }
        assert_eq!(chosen(&[("PAGER", "more"), ("HEARTHNET_PAGER", "")]), Ok(None));
        assert_eq!(chosen(&[("PAGER", "nosuch -x")]), Err("nosuch".to_owned()));
    }

    #[test]
    fn a_program_is_looked_for_in_the_path() {
        assert!(
            is_installed("sh", OsStr::new("/nonexistent:/bin")) && is_installed("/bin/sh", OsStr::new(""))
        );
        assert!(!is_installed("sh", OsStr::new("/nonexistent")) && !is_installed("/bin", OsStr::new("/")));
    }
}
