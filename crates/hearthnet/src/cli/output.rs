//! Output of the command.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use super::visible::visible;
use crate::failure::Failure;

/// Prints a line on stdout, with unsafe characters as escapes. A failure to print does not stop the command.
pub(crate) fn say(line: impl Display) {
    let _ = print(&safe_line(line));
}

/// Returns the line with its end, and with unsafe characters as escapes.
pub(crate) fn safe_line(line: impl Display) -> String {
    visible(&line.to_string()) + "\n"
}

/// Prints the result of the command on stdout. `text` is safe for a terminal already.
///
/// A reader that has gone away, as in `hearthnet doctor | head -1`, is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match write(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Writes a part of the result on stdout. `text` is safe for a terminal already.
///
/// # Errors
///
/// The kind is `BrokenPipe` if the reader has gone away, so that a long command can stop.
pub(crate) fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // stdout is line buffered. Without the flush an error of the device would be lost at exit.
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Returns the failure of a command whose output cannot be written. A full disk below it has its own exit code.
pub(crate) fn not_written(error: &io::Error) -> Failure {
    Failure::io("write to", Path::new("standard output"), error)
}

/// Prints a line on stderr after the name of the command, with unsafe characters as escapes.
pub(crate) fn say_on_stderr(line: impl Display) {
    // One write, so that lines of several processes do not mix.
    let _ = io::stderr().lock().write_all(format!("hearthnet: {}", safe_line(line)).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    #[test]
    fn a_line_holds_no_unsafe_character() {
        for letter in UNSAFE {
            let line = safe_line(format_args!("made  log  /srv/{letter}/log"));
            assert!(!line.contains(*letter) && line.matches('\n').count() == 1, "{letter:?}");
        }
        assert_eq!(safe_line("two\nlines"), "two\\nlines\n");
    }
}
