//! `tracestate`, what other tracing systems tell each other along a request; we only pass it on.

use std::fmt;

/// The values of a W3C `tracestate`: one to 32 members `key=value`, at most 512 bytes.
///
/// Opaque to us: a trace that came with one gives it to every node that it calls. A key that stands
/// twice is passed on twice, because it is not ours to choose between two values of another system.
///
/// ```
/// use obs_trace::propagation::TraceState;
///
/// let state = TraceState::parse([b"congo=t61 , ".as_slice(), b"rojo=00f0,congo=2"]).unwrap();
/// assert_eq!(state.as_str(), "congo=t61,rojo=00f0,congo=2");
/// assert!(TraceState::parse([b"congo=1,Rojo=2".as_slice()]).is_none(), "no key has capitals");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceState(Box<str>);

/// The size that the standard asks everybody to pass on.
const MAX_BYTES: usize = 512;
const MAX_MEMBERS: usize = 32;
/// Members longer than this are the first to go from a list that is too long.
const LONG_MEMBER_BYTES: usize = 128;

impl TraceState {
    /// Reads the values of all `tracestate` headers of a request, in their order, as the one list
    /// that they are. `None` if there is no member, or anything in the list is not as it should be.
    ///
    /// Of a list longer than 512 bytes whole members are dropped, as the standard says: those of more
    /// than 128 bytes first, then from the end.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<TraceState> {
        let mut members: Vec<&str> = Vec::new();
        for value in values {
            for member in std::str::from_utf8(value).ok()?.split(',') {
                let member = member.trim_matches([' ', '\t']);
                // An empty member is allowed, and says nothing.
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

/// Level 2: a lower-case letter or digit, then up to 255 of `a-z 0-9 _ - * / @`.
fn is_key(key: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let begins_well = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= 256 && key.as_bytes().first().is_some_and(begins_well) && key.bytes().all(is_allowed)
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
    fn of_a_list_that_is_too_long_whole_members_go_the_long_ones_first() {
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
            (format!("{long},{}", short(1, 8)), short(1, 8), "the long one, wherever it stands"),
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
