//! Text that a terminal shows and does not obey.

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
