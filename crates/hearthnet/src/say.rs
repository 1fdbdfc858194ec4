//! What the command says.

use std::fmt::Display;
use std::io::{self, Write as _};

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

/// One line on stderr, with the command's name before it; what it repeats of a file or of a peer is made harmless.
pub(crate) fn say_on_stderr(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "hearthnet: {}", visible(&line.to_string()));
}

/// `text` with everything that a terminal might obey as escapes.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_obeyed(letter) {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
    out
}

/// Control characters, and those that turn the direction of writing.
pub(crate) fn is_obeyed(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns
}
