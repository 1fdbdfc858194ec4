//! Texts of bounded length.

use smol_str::SmolStr;

/// Returns `text` cut at a character boundary to at most `limit` bytes. A text that is cut ends in `…`, which takes three
/// of them.
pub(crate) fn bounded(text: &str, limit: usize) -> SmolStr {
    if text.len() <= limit {
        return SmolStr::new(text);
    }
    let head = &text[..text.floor_char_boundary(limit - ELLIPSIS.len())];
    SmolStr::from_iter([head, ELLIPSIS])
}

const ELLIPSIS: &str = "…";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_bounded(text in ".*", limit in 3..64_usize) {
            let short = bounded(&text, limit);
            prop_assert!(short.len() <= limit);
            match short.strip_suffix(ELLIPSIS) {
                Some(head) if text.len() > limit => prop_assert!(text.starts_with(head)),
                _ => prop_assert_eq!(short.as_str(), text.as_str()),
            }
        }
    }
}
