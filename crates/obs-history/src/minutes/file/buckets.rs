//! Text of histogram buckets: a JSON object from bucket index to count, such as `{"-27":3,"-26":1}`.
//!
//! SQLite and DuckDB read it with their JSON functions. A histogram of a node has a few buckets a minute, so the text is
//! little longer than a packed form would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Maximum number of buckets that are read. The writer has 160.
const MAX_READ: usize = 4_096;

pub(super) fn text(buckets: &BTreeMap<i32, u64>) -> String {
    let mut text = String::with_capacity(2 + 9 * buckets.len());
    text.push('{');
    for (index, count) in buckets {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}\"{index}\":{count}");
    }
    text.push('}');
    text
}

/// Parses the text. `None` if it is no such object, or has too many buckets or an index twice.
pub(super) fn parse(text: &str) -> Option<BTreeMap<i32, u64>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut buckets = BTreeMap::new();
    if inner.is_empty() {
        return Some(buckets);
    }
    // By hand, because a page of two weeks reads 100 000 of them, and a general parser takes several times as long.
    for pair in inner.split(',') {
        let (index, count) = pair.split_once(':')?;
        let index = index.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
        let count = count.trim().parse().ok()?;
        if buckets.len() == MAX_READ || buckets.insert(index, count).is_some() {
            return None;
        }
    }
    Some(buckets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_json() {
        let buckets = BTreeMap::from([(-27, 3), (0, u64::MAX), (8193, 1)]);
        assert_eq!(text(&buckets), "{\"-27\":3,\"0\":18446744073709551615,\"8193\":1}");
        let json: serde_json::Value = serde_json::from_str(&text(&buckets)).unwrap();
        assert_eq!(json["-27"], 3);
        assert_eq!(text(&BTreeMap::new()), "{}");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "{\"1\":-1}",
            "{\"1\":1,}",
            "{1:1}",
            "{\"1\":1,\"1\":2}",
            "{\"99999999999\":1}",
            "{}x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let many = (0..=MAX_READ as i32).map(|index| (index, 1)).collect();
        assert_eq!(parse(&self::text(&many)), None);
    }

    proptest! {
        #[test]
        fn text_is_read_back(buckets: BTreeMap<i32, u64>) {
            prop_assert_eq!(parse(&text(&buckets)), Some(buckets));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("{{{text}}}"));
        }
    }
}
