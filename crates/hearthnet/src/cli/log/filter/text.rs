//! Search for a text in the lines, as they are shown.

use memchr::{memchr, memchr2_iter};

use crate::cli::log::line::Line;

/// Bytes from the most frequent to less frequent ones in lines of the log. All others are rarer.
const FREQUENT: &[u8] = b"e0ta1oirn2sl3c4d5m6h7p89u.g:fvbykw-_";

/// Text to search for. Case matters if the text has an upper-case letter, as with ripgrep's `--smart-case`.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    text: String,
    ignores_case: bool,
    probe: Option<Probe>,
}

impl Text {
    pub(crate) fn new(text: &str) -> Text {
        let ignores_case = !text.chars().any(char::is_uppercase);
        Text { text: text.to_owned(), ignores_case, probe: Probe::of(text, ignores_case) }
    }

    /// Returns whether the bytes of the line show that it has not the text.
    pub(super) fn is_surely_not_in(&self, line: &[u8]) -> bool {
        // Behind an escape, any character may stand.
        self.probe.as_ref().is_some_and(|probe| !probe.is_in(line)) && memchr(b'\\', line).is_none()
    }

    pub(super) fn is_in(&self, line: &Line) -> bool {
        let searched = line.searched();
        match self.ignores_case {
            true => searched.to_lowercase().contains(&self.text),
            false => searched.contains(&self.text),
        }
    }

    /// Returns whether the text is in a damaged line.
    pub(super) fn is_in_bytes(&self, bytes: &[u8]) -> bool {
        let searched = String::from_utf8_lossy(bytes);
        match self.ignores_case {
            true => searched.to_lowercase().contains(&self.text),
            false => searched.contains(&self.text),
        }
    }
}

/// Part of a text that stands in the bytes of every line that has the text.
///
/// A line is shown in another form than its JSON: `node=7H4G` is `"node":"7H4G"`. Letters, digits and a few signs stay.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    bytes: Vec<u8>,
    /// Index of the rarest byte.
    rarest: usize,
    ignores_case: bool,
}

impl Probe {
    /// Returns the longest part, or `None` if no character of the text stays.
    pub(super) fn of(text: &str, ignores_case: bool) -> Option<Probe> {
        let stays = |letter: char| letter.is_ascii_alphanumeric() || "_-.:".contains(letter);
        let longest = text.split(|letter| !stays(letter)).max_by_key(|part| part.len())?;
        let bytes = longest.as_bytes().to_vec();
        let rank = |byte: u8| FREQUENT.iter().position(|&known| known == byte).unwrap_or(FREQUENT.len());
        let rarest = (0..bytes.len()).max_by_key(|&at| rank(bytes[at]))?;
        Some(Probe { bytes, rarest, ignores_case })
    }

    pub(super) fn is_in(&self, line: &[u8]) -> bool {
        let rarest = self.bytes[self.rarest];
        let other = if self.ignores_case { rarest.to_ascii_uppercase() } else { rarest };
        memchr2_iter(rarest, other, line).any(|at| {
            let Some(start) = at.checked_sub(self.rarest) else { return false };
            let found = line.get(start..start + self.bytes.len());
            found.is_some_and(|found| match self.ignores_case {
                true => found.eq_ignore_ascii_case(&self.bytes),
                false => found == self.bytes,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus","msg":"Connection refused","to":"Eve","ms":12.5,"ok":true,"n":{"a":[1,"x"]},"q":"say \"hi\""}"#;

    fn is_in(text: &str, line: &str) -> bool {
        let text = Text::new(text);
        let found = text.is_in(&Line::parse(line.as_bytes()).unwrap());
        assert!(!found || !text.is_surely_not_in(line.as_bytes()), "{text:?}");
        found
    }

    #[test]
    fn the_shown_text_is_searched() {
        for (text, found) in [
            ("connection refused", true),
            ("Connection", true),
            ("CONNECTION", false),
            ("connection  refused", false),
            ("to=eve", true),
            ("to=Eve ms=12.5", true),
            ("ok=true", true),
            ("hearthnet.bus", true),
            ("[1,\"x\"]", true),
            ("say \"hi\"", true),
            ("\"ms\":12", false),
            ("2026-05-26", false),
            ("", true),
        ] {
            assert_eq!(is_in(text, LINE), found, "{text}");
        }
    }

    #[test]
    fn most_lines_are_refused_by_their_bytes() {
        let plain = LINE.replace(r#"say \"hi\""#, "");
        for (text, refused) in
            [("nosuch", true), ("refused=x", false), ("refuset", true), ("…", false), ("eve", false)]
        {
            assert_eq!(Text::new(text).is_surely_not_in(plain.as_bytes()), refused, "{text}");
        }
        assert!(!Text::new("nosuch").is_surely_not_in(LINE.as_bytes()), "it has an escape");
        assert!(is_in("größe", &plain.replace("Eve", "GRÖSSE größe")));
        assert!(is_in("fused", &plain.replace("fused", "\\u0066used")));
    }
}
