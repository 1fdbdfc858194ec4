//! Text of an error code.

use std::fmt;

/// Maximum length of a code in bytes.
const MAX_BYTES: usize = 40;

/// Words that other outcomes of a call have. A peer that sends one as its code would be counted as such an outcome.
const RESERVED: [&str; 4] = ["ok", "cancelled", "panic", obs_facade::metrics::OVERFLOW];

/// Text of a code that this version defines, or of a code that a peer of a later version has sent.
// The second one is stored in place, so that codes stay `Copy` and a peer's codes take no memory that stays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeText {
    Own(&'static str),
    Peers { bytes: [u8; MAX_BYTES], length: u8 },
}

impl CodeText {
    /// Returns the text of a code that this version does not define. `None` if it is not well-formed: 1 to 40 characters of
    /// `a` to `z` and `_`.
    pub(super) fn of_peer(text: &str) -> Option<CodeText> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_well_formed = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_allowed);
        if !is_well_formed || RESERVED.contains(&text) {
            return None;
        }
        let mut bytes = [0; MAX_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(CodeText::Peers { bytes, length: text.len() as u8 })
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            CodeText::Own(text) => text,
            // `of_peer` copies ASCII only.
            CodeText::Peers { bytes, length } => {
                str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
            }
        }
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_text_is_kept() {
        for text in ["dht_lookup_failed", "foo_bar", "x", "_", &"a".repeat(40)] {
            assert_eq!(CodeText::of_peer(text).unwrap().as_str(), text);
        }
        let long = "a".repeat(41);
        for text in [
            "",
            "Foo",
            "foo bar",
            "foo-bar",
            "f00",
            "fö",
            "foo\n",
            &long,
            "ok",
            "cancelled",
            "panic",
            "__overflow__",
        ] {
            assert_eq!(CodeText::of_peer(text), None, "{text:?}");
        }
    }
}
