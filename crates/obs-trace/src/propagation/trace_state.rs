//! The header `tracestate`, by which other tracing systems communicate along a request. This crate only passes it on.

use std::fmt;

/// Value of a W3C `tracestate`: one to 32 members `key=value`, at most 512 bytes.
///
/// Opaque: a trace that came with one passes it to every node that it calls. A duplicate key is passed on twice, because
/// only its own system can choose between the two values.
///
/// ```
/// use obs_trace::propagation::TraceState;
///
/// let state = TraceState::parse([b"congo=t61 , ".as_slice(), b"rojo=00f0,congo=2"]).unwrap();
/// assert_eq!(state.as_str(), "congo=t61,rojo=00f0,congo=2");
/// assert!(TraceState::parse([b"congo=1,Rojo=2".as_slice()]).is_none(), "keys have no capitals");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceState(Box<str>);

/// Maximum length. The standard requires that at least this much is passed on.
const MAX_BYTES: usize = 512;
/// Maximum number of members in the standard.
const MAX_MEMBERS: usize = 32;
/// Length from which a member is dropped first if the list is too long. From the standard.
const LONG_MEMBER_BYTES: usize = 128;

impl TraceState {
    /// Parses the values of all `tracestate` headers of a request as one list, in their order. `None` if the list has no
    /// member or is malformed.
    ///
    /// A list of more than 512 bytes loses whole members, as the standard says: members of more than 128 bytes first, then
    /// members from the end.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<TraceState> {
        let mut members: Vec<&str> = Vec::new();
        for value in values {
            for member in std::str::from_utf8(value).ok()?.split(',') {
                let member = member.trim_matches([' ', '\t']);
                // The standard allows empty members.
                if member.is_empty() {
                    continue;
                }
                if members.len() == MAX_MEMBERS || !is_member(member) {
                    return None;
                }
                members.push(member);
            }
        }
        shorten(&mut members);
        (!members.is_empty()).then(|| TraceState(members.join(",").into()))
    }

    /// Returns the members as the value of one header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn shorten(members: &mut Vec<&str>) {
    let is_too_long =
        |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>() > MAX_BYTES + 1;
    while is_too_long(members)
        && let Some(long) = members.iter().rposition(|member| member.len() > LONG_MEMBER_BYTES)
    {
        members.remove(long);
    }
    while is_too_long(members) {
        members.pop();
    }
}

fn is_member(member: &str) -> bool {
    member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value))
}

/// Checks a key by Level 2: a lower-case letter or digit, then up to 255 of `a-z 0-9 _ - * / @`.
fn is_key(key: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let begins_well = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= 256 && key.as_bytes().first().is_some_and(begins_well) && key.bytes().all(is_allowed)
}

/// Checks a value. The caller has trimmed blanks around the member.
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

    /// Cases `test_tracestate_*` of the public W3C suite.
    #[test]
    fn tracestate_cases_of_the_w3c_suite() {
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
            (vec!["foo=1,foo=1".into()], "foo=1,foo=1".into()),
            (vec!["foo=1,foo=2".into()], "foo=1,foo=2".into()),
            (vec!["foo=1".into(), "foo=1".into()], "foo=1,foo=1".into()),
            (vec!["foo=1".into(), "foo=2".into()], "foo=1,foo=2".into()),
            (vec!["foo@=1,bar=2".into()], "foo@=1,bar=2".into()),
            (vec!["foo@@bar=1,bar=2".into()], "foo@@bar=1,bar=2".into()),
            (vec!["foo@bar@baz=1,bar=2".into()], "foo@bar@baz=1,bar=2".into()),
            (vec!["1foo=1,0@1=x".into()], "1foo=1,0@1=x".into()),
            (
                vec!["foo=1".into(), format!("{}@v=1", "t".repeat(242))],
                format!("foo=1,{}@v=1", "t".repeat(242)),
            ),
            (
                vec!["foo=1".into(), format!("t@{}=1", "v".repeat(15))],
                format!("foo=1,t@{}=1", "v".repeat(15)),
            ),
            (vec!["foo=  1, ,\t,bar=2,,".into()], "foo=  1,bar=2".into()),
        ];
        for (values, expected) in accepted {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            assert_eq!(parse(&values), Some(expected), "{values:?}");
        }
        let refused = [
            vec![String::new()],
            vec![],
            vec!["foo =1".into()],
            vec!["FOO=1".into()],
            vec!["foo.bar=1".into()],
            vec!["@foo=1,bar=2".into()],
            vec![numbered(1, 10), numbered(11, 20), numbered(21, 33)],
            vec!["foo=1".into(), long(257)],
            vec!["_foo=1".into()],
            vec!["foo=   ".into()],
            vec!["foo\t=1".into()],
            vec![format!("foo={}", "x".repeat(257))],
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

    #[test]
    fn a_list_that_is_too_long_loses_whole_members_the_long_ones_first() {
        let member = |key: &str, bytes: usize| format!("{key}={}", "x".repeat(bytes - key.len() - 1));
        let (long, longer) = (member("long", 250), member("longer", 255));
        let short = |from: u8, to: u8| {
            (from..=to).map(|n| member(&format!("k{n:02}"), 50)).collect::<Vec<_>>().join(",")
        };
        let cases = [
            (
                format!("{long},{longer},abcdefghi=1"),
                format!("{long},abcdefghi=1"),
                "the last long one first",
            ),
            (format!("{long},{}", short(1, 8)), short(1, 8), "the long one, wherever it is"),
            (short(1, 12), short(1, 10), "then from the end"),
            (
                member("a", 256) + "," + &member("b", 255),
                member("a", 256) + "," + &member("b", 255),
                "512 fit",
            ),
            (member("a", 256) + "," + &member("b", 256), member("a", 256), "513 do not"),
        ];
        for (given, expected, why) in cases {
            assert_eq!(parse(&[&given]).as_deref(), Some(expected.as_str()), "{why}");
        }
        let too_long = format!("{}={}", "k".repeat(256), "x".repeat(256));
        assert_eq!(parse(&[&too_long]), None, "nothing is left");
        assert_eq!(parse(&[&too_long, "foo=1"]).as_deref(), Some("foo=1"));
    }

    proptest! {
        #[test]
        fn a_parsed_state_is_parsed_again_the_same(
            values in proptest::collection::vec("[ a-c=,@1\t]{0,40}", 0..4),
        ) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            if let Some(state) = parse(&values) {
                prop_assert!(state.len() <= MAX_BYTES);
                prop_assert_eq!(parse(&[&state]), Some(state.clone()));
            }
        }

        #[test]
        fn no_bytes_cause_a_panic(value in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(state) = TraceState::parse([value.as_slice()]) {
                prop_assert!(state.as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
