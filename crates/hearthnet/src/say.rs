//! What the command says.

use std::fmt::Display;
use std::io::{self, Write as _};

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

/// `text` with everything that a terminal might obey as escapes.
pub(crate) fn visible(text: &str) -> String {
    escaped(text, is_obeyed)
}

/// Like [`visible`], and everything beyond ASCII as escapes too.
pub(crate) fn visible_ascii(text: &str) -> String {
    escaped(text, |letter| is_obeyed(letter) || !letter.is_ascii())
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_escaped(letter) {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
    out
}

/// `01HXR3…K0JD`: the first `head` characters of a trace ID and its last four, which are there because IDs
/// begin with the time: those of one second begin alike.
pub(crate) fn short_id(id: &str, head: usize, ellipsis: char) -> String {
    const TAIL: usize = 4;
    let id: Vec<char> = visible_ascii(id).chars().collect();
    if id.len() <= head + TAIL {
        return id.into_iter().collect();
    }
    let (head, tail) = (&id[..head], &id[id.len() - TAIL..]);
    head.iter().chain([&ellipsis]).chain(tail).collect()
}

/// Control characters, and those that turn the direction of writing.
pub(crate) fn is_obeyed(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f4_ids_of_one_second_are_told_apart_by_their_ends() {
        let (a, b) = ("01M8A0G3D5K2VW2YF5NDMDVJVN", "01M8A0G3E348C4B0ZHM3A5BRTZ");
        assert_eq!((short_id(a, 6, '…'), short_id(b, 6, '…')), ("01M8A0…VJVN".into(), "01M8A0…BRTZ".into()));
        assert_eq!(short_id(a, 8, '~'), "01M8A0G3~VJVN");
        for whole in ["", "01M8A0VJVN"] {
            assert_eq!(short_id(whole, 6, '…'), whole);
        }
        let hostile = short_id("\u{1b}]0;ü\u{202e}\u{1b}[2J", 6, '~');
        assert!(hostile.chars().all(|letter| letter.is_ascii_graphic()), "{hostile:?}");
    }
}
