//! `tracestate`, what other tracing systems tell each other along a request; we only pass it on.

use std::fmt;

/// The values of a W3C `tracestate`: one to 32 members `key=value`, at most 512 bytes.
///
/// Opaque to us: a trace that came with one gives it to every node that it calls.
///
/// ```
/// use obs_trace::propagation::TraceState;
///
/// let state = TraceState::parse([b"congo=t61 , ".as_slice(), b"rojo=00f0"]).unwrap();
/// assert_eq!(state.as_str(), "congo=t61,rojo=00f0");
/// assert!(TraceState::parse([b"congo=1,congo=2".as_slice()]).is_none(), "one key twice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceState(Box<str>);

/// What the specification asks everybody to pass on.
const MAX_BYTES: usize = 512;
const MAX_MEMBERS: usize = 32;

impl TraceState {
    /// Reads the values of all `tracestate` headers of a request, in their order, as the one list
    /// that they are. `None` if there is no member, or anything in the list is not as it should be.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<TraceState> {
        let mut members: Vec<(&str, &str)> = Vec::new();
        let mut bytes = 0;
        for value in values {
            bytes += value.len();
            if bytes > MAX_BYTES {
                return None;
            }
            for member in std::str::from_utf8(value).ok()?.split(',') {
                let member = member.trim_matches([' ', '\t']);
                // An empty member is allowed, and says nothing.
                if member.is_empty() {
                    continue;
                }
                let (key, value) =
                    member.split_once('=').filter(|(key, value)| is_key(key) && is_value(value))?;
                if members.len() == MAX_MEMBERS || members.iter().any(|(known, _)| *known == key) {
                    return None;
                }
                members.push((key, value));
            }
        }
        let list: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (!list.is_empty()).then(|| TraceState(list.join(",").into()))
    }

    /// The members, as the value of one header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// `vendor`, or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_part(key, 256, |first| first.is_ascii_lowercase()),
        Some((tenant, vendor)) => {
            is_part(tenant, 241, |first| first.is_ascii_lowercase() || first.is_ascii_digit())
                && is_part(vendor, 14, |first| first.is_ascii_lowercase())
        }
    }
}

fn is_part(part: &str, most: usize, is_first: fn(u8) -> bool) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    part.len() <= most && part.bytes().next().is_some_and(is_first) && part.bytes().all(is_allowed)
}

/// Blanks at its end have been taken off, as have those before the key.
fn is_value(value: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(values: &[&str]) -> Option<String> {
        TraceState::parse(values.iter().map(|value| value.as_bytes())).map(|state| state.to_string())
    }

    /// The cases of the public W3C suite, `test_tracestate_*`.
    #[test]
    fn t7_the_tracestate_cases_of_the_w3c_suite() {
        let lower: String = ('a'..='z').collect();
        let key = format!("{lower}0123456789_-*/");
        let value: String = (' '..='~').filter(|letter| !",=".contains(*letter)).collect();
        let numbered =
            |from: u8, to: u8| (from..=to).map(|n| format!("bar{n:02}={n:02}")).collect::<Vec<_>>().join(",");
        let long = |length: usize| format!("{}=1", "z".repeat(length));
        let accepted = [
            (vec!["foo=1,bar=2".to_owned()], "foo=1,bar=2".to_owned()),
            (vec!["foo=1".into(), "".into()], "foo=1".into()),
            (vec!["".into(), "foo=1".into()], "foo=1".into()),
            (
                vec!["foo=1,bar=2".into(), "rojo=1,congo=2".into(), "baz=3".into()],
                "foo=1,bar=2,rojo=1,congo=2,baz=3".into(),
            ),
            (vec![format!("{key}={value}")], format!("{key}={value}")),
            (vec![format!("{key}@a-z0-9_-*/={value}")], format!("{key}@a-z0-9_-*/={value}")),
            (vec!["foo=1 \t , \t bar=2, \t baz=3".into()], "foo=1,bar=2,baz=3".into()),
            (vec!["foo=1\t \t,\t \tbar=2,\t \tbaz=3".into()], "foo=1,bar=2,baz=3".into()),
            (vec![" foo=1".into()], "foo=1".into()),
            (vec!["\tfoo=1".into()], "foo=1".into()),
            (vec!["foo=1 ".into()], "foo=1".into()),
            (vec!["foo=1\t".into()], "foo=1".into()),
            (vec!["\t foo=1 \t".into()], "foo=1".into()),
            (vec![numbered(1, 10), numbered(11, 20), numbered(21, 32)], numbered(1, 32)),
            (vec!["foo=1".into(), long(256)], format!("foo=1,{}", long(256))),
            (
                vec!["foo=1".into(), format!("{}@{}=1", "t".repeat(241), "v".repeat(14))],
                format!("foo=1,{}@{}=1", "t".repeat(241), "v".repeat(14)),
            ),
        ];
        for (values, expected) in accepted {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            assert_eq!(parse(&values), Some(expected), "{values:?}");
        }
        let refused = [
            vec![String::new()],
            vec![],
            vec!["foo=1,foo=1".into()],
            vec!["foo=1,foo=2".into()],
            vec!["foo=1".into(), "foo=1".into()],
            vec!["foo=1".into(), "foo=2".into()],
            vec!["foo =1".into()],
            vec!["FOO=1".into()],
            vec!["foo.bar=1".into()],
            vec!["foo@=1,bar=2".into()],
            vec!["@foo=1,bar=2".into()],
            vec!["foo@@bar=1,bar=2".into()],
            vec!["foo@bar@baz=1,bar=2".into()],
            vec![numbered(1, 10), numbered(11, 20), numbered(21, 33)],
            vec!["foo=1".into(), long(257)],
            vec!["foo=1".into(), format!("{}@v=1", "t".repeat(242))],
            vec!["foo=1".into(), format!("t@{}=1", "v".repeat(15))],
            vec!["foo=bar=baz".into()],
            vec!["foo=,bar=3".into()],
            vec!["foo".into()],
            vec!["foo=ü".into()],
            vec![format!("foo={}", "x".repeat(600))],
        ];
        for values in refused {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            assert_eq!(parse(&values), None, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_the_same(
            values in proptest::collection::vec("[ a-c=,@1\t]{0,40}", 0..4),
        ) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            if let Some(state) = parse(&values) {
                prop_assert!(state.len() <= MAX_BYTES);
                prop_assert_eq!(parse(&[&state]), Some(state.clone()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(value in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(state) = TraceState::parse([value.as_slice()]) {
                prop_assert!(state.as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
