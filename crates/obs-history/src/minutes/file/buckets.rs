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

/// Buckets in order of their indexes, each once.
pub(super) type Pairs = Vec<(i32, u64)>;

/// Puts the buckets of a text into `pairs`, in place of what is there. `None` if it is no such object, or has too many buckets
/// or an index twice.
///
/// By hand, byte by byte: a page of two weeks reads 200 000 of them, and a general parser takes several times as long.
pub(super) fn read(text: &[u8], pairs: &mut Pairs) -> Option<()> {
    pairs.clear();
    let mut rest = Scanner(text);
    rest.take(b'{')?;
    let mut is_open = rest.peek()? != b'}';
    while is_open {
        if pairs.len() == MAX_READ {
            return None;
        }
        pairs.push(rest.bucket()?);
        is_open = rest.peek()? == b',';
        if is_open {
            rest.take(b',')?;
        }
    }
    rest.take(b'}')?;
    if rest.peek().is_some() {
        return None;
    }
    // The writer's are in order.
    if !is_in_order(pairs) {
        pairs.sort_unstable();
    }
    is_in_order(pairs).then_some(())
}

fn is_in_order(pairs: &Pairs) -> bool {
    pairs.is_sorted_by(|(before, _), (after, _)| before < after)
}

/// Adds counts. Both lists are walked at once: the rows of a series have nearly the same buckets.
pub(super) fn add(own: &mut Pairs, other: &Pairs) {
    let mut at = 0;
    let known = own.len();
    for (index, count) in other {
        while at < known && own[at].0 < *index {
            at += 1;
        }
        if at < known && own[at].0 == *index {
            own[at].1 = own[at].1.saturating_add(*count);
        } else {
            own.push((*index, *count));
        }
    }
    if own.len() > known {
        // Two lists in order, which this sort merges.
        own.sort_by_key(|(index, _)| *index);
    }
}

/// Bytes that were not read yet.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    /// Reads `"INDEX":COUNT`.
    fn bucket(&mut self) -> Option<(i32, u64)> {
        self.take(b'"')?;
        let is_negative = self.0.first() == Some(&b'-');
        self.0 = &self.0[usize::from(is_negative)..];
        let index = i64::try_from(self.number()?).ok()?;
        let index = i32::try_from(if is_negative { -index } else { index }).ok()?;
        // Within the quotes there is no space.
        self.0 = self.0.strip_prefix(b"\"")?;
        self.take(b':')?;
        self.skip_spaces();
        Some((index, self.number()?))
    }

    /// Takes a byte, with spaces before it.
    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_spaces();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    /// Returns the next byte, which is no space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        self.skip_spaces();
        self.0.first().copied()
    }

    #[inline]
    fn skip_spaces(&mut self) {
        // The writer makes none.
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut digits) = (0_u64, 0);
        while let Some(digit) =
            self.0.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
            digits += 1;
        }
        self.0 = &self.0[digits..];
        (digits > 0).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<Pairs> {
        let mut pairs = vec![(7, 7)];
        read(text.as_bytes(), &mut pairs).map(|()| pairs)
    }

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
            "{\"1\":18446744073709551616}",
            "{\"-\":1}",
            "{\" 1\":1}",
            "{\"1\":}",
            "{\"1\":1 1}",
            "{,}",
            "{}x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let many = (0..=MAX_READ as i32).map(|index| (index, 1)).collect();
        assert_eq!(parse(&self::text(&many)), None);
    }

    #[test]
    fn spaces_and_another_order_are_read() {
        let expected = vec![(-2, 3), (5, 1)];
        assert_eq!(parse(" { \"5\" : 1 ,\n\"-2\":3 } "), Some(expected));
        assert_eq!(parse("{ }"), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn text_is_read_back(buckets: BTreeMap<i32, u64>) {
            let expected: Pairs = buckets.clone().into_iter().collect();
            prop_assert_eq!(parse(&text(&buckets)), Some(expected));
        }

        #[test]
        fn counts_are_added_by_index(own: BTreeMap<i8, u32>, other: BTreeMap<i8, u32>) {
            let pairs = |counts: &BTreeMap<i8, u32>| -> Pairs {
                counts.iter().map(|(index, count)| (i32::from(*index), u64::from(*count))).collect()
            };
            let mut sum = pairs(&own);
            add(&mut sum, &pairs(&other));
            let mut expected: BTreeMap<i32, u64> = pairs(&own).into_iter().collect();
            for (index, count) in pairs(&other) {
                *expected.entry(index).or_default() += count;
            }
            prop_assert_eq!(sum, expected.into_iter().collect::<Pairs>());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("{{{text}}}"));
        }
    }
}
