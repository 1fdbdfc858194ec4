//! What the command says.

use std::fmt::Display;
use std::io::{self, Write as _};

use super::visible::visible;
use crate::failure::Failure;

/// One line on stdout. What is done goes on, read or not.
pub(crate) fn say(line: impl Display) {
    let _ = print(&format!("{line}\n"));
}

/// What the command was called for, on stdout. A reader that has gone away (`hearthnet doctor | head -1`) has seen
/// enough, which is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// The failure of a command whose output cannot be written.
pub(crate) fn not_written(error: &io::Error) -> Failure {
    Failure::error(format!("cannot write to stdout: {error}"))
}

/// One line on stderr, with the command's name before it; what it repeats of a file or of a peer is made harmless.
pub(crate) fn say_on_stderr(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "hearthnet: {}", visible(&line.to_string()));
}
