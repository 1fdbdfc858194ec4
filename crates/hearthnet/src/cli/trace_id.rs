//! Trace IDs as a user types them: whole, or the part that the command shows.

use std::str::FromStr;

use obs_facade::trace::TraceId;

/// Minimum number of characters of an ID. Fewer would match by chance: the log of a day has millions of IDs.
const LEAST: usize = 4;
/// Length of an ID.
const LENGTH: usize = 26;
/// Signs for the part of an ID that was left out.
const ELLIPSES: [&str; 4] = ["…", "...", "..", "~"];
/// Forms that are allowed.
const ALLOWED: &str = "give all 26 characters of an ID, at least 4 of its beginning or end, both as the command shows them \
                       (`01HXR3…K0JD`, `01HXR3~K0JD` or `01HXR3...K0JD`), or the 32 hexadecimal digits of a W3C trace ID";

/// Selection of traces by an ID or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceMatcher(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// The whole ID.
    Whole(String),
    /// The beginning or the end of an ID.
    Either(String),
    /// The beginning and the end. One of them may be empty.
    Both(String, String),
}

impl TraceMatcher {
    /// Returns whether `id`, which is a whole ID, is selected.
    pub(crate) fn matches(&self, id: &str) -> bool {
        match &self.0 {
            Form::Whole(whole) => id.eq_ignore_ascii_case(whole),
            Form::Either(part) => begins_with(id, part) || ends_with(id, part),
            Form::Both(head, tail) => begins_with(id, head) && ends_with(id, tail),
        }
    }

    /// Returns the whole ID, if the user gave it.
    pub(crate) fn whole(&self) -> Option<TraceId> {
        match &self.0 {
            Form::Whole(id) => id.parse().ok(),
            Form::Either(_) | Form::Both(..) => None,
        }
    }

    /// Returns characters that every selected ID contains, in upper case.
    pub(crate) fn needle(&self) -> &str {
        match &self.0 {
            Form::Whole(part) | Form::Either(part) => part,
            Form::Both(head, tail) if head.len() > tail.len() => head,
            Form::Both(_, tail) => tail,
        }
    }
}

impl std::fmt::Display for TraceMatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Form::Whole(part) | Form::Either(part) => f.write_str(part),
            Form::Both(head, tail) => write!(f, "{head}…{tail}"),
        }
    }
}

impl FromStr for TraceMatcher {
    type Err = String;

    fn from_str(text: &str) -> Result<TraceMatcher, String> {
        parse(text.trim()).map(TraceMatcher).map_err(|problem| format!("{problem}; {ALLOWED}"))
    }
}

fn parse(text: &str) -> Result<Form, &'static str> {
    if let Some(id) = of_hex(text) {
        return Ok(Form::Whole(id.to_string()));
    }
    let cut = ELLIPSES.iter().find_map(|ellipsis| text.split_once(ellipsis));
    let (head, tail) = match cut {
        Some((head, tail)) => (base32(head)?, Some(base32(tail)?)),
        None => (base32(text)?, None),
    };
    let length = head.len() + tail.as_deref().map_or(0, str::len);
    if length < LEAST {
        return Err("too few characters for a trace ID");
    }
    if length > LENGTH {
        return Err("too many characters for a trace ID");
    }
    match tail {
        Some(tail) => Ok(Form::Both(head, tail)),
        None if length < LENGTH => Ok(Form::Either(head)),
        None => head.parse::<TraceId>().map(|id| Form::Whole(id.to_string())).map_err(|_| "no trace ID"),
    }
}

/// Parses a W3C trace ID, or the header `traceparent` that has one.
fn of_hex(text: &str) -> Option<TraceId> {
    let hex = match *text.split('-').collect::<Vec<_>>() {
        [id] => id,
        [version, id, span, _flags] if version.len() == 2 && span.len() == 16 => id,
        _ => return None,
    };
    let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = is_hex.then(|| u128::from_str_radix(hex, 16).ok()).flatten()?.to_be_bytes();
    TraceId::from_bytes(bytes)
}

/// Returns the text in the letters of an ID: upper case, and the digits for the letters that look like them.
fn base32(text: &str) -> Result<String, &'static str> {
    let letter = |letter: char| match letter.to_ascii_uppercase() {
        'O' => Ok('0'),
        'I' | 'L' => Ok('1'),
        'U' => Err("a trace ID has no letter U"),
        other if other.is_ascii_alphanumeric() => Ok(other),
        _ => Err("a trace ID has letters and digits only"),
    };
    text.chars().map(letter).collect()
}

fn begins_with(id: &str, head: &str) -> bool {
    id.get(..head.len()).is_some_and(|part| part.eq_ignore_ascii_case(head))
}

fn ends_with(id: &str, tail: &str) -> bool {
    let start = id.len().checked_sub(tail.len());
    start.and_then(|start| id.get(start..)).is_some_and(|part| part.eq_ignore_ascii_case(tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::visible::short_id;

    const ID: &str = "01HXR3F2M9Z5T1V8Q4W7N6K0JD";

    #[test]
    fn every_form_that_is_shown_selects_the_id() {
        let hex = u128::from_be_bytes(ID.parse::<TraceId>().unwrap().to_bytes());
        let forms = [
            ID.to_owned(),
            ID.to_lowercase(),
            format!(" {ID}\n"),
            format!("{hex:032x}"),
            format!("{hex:032X}"),
            format!("00-{hex:032x}-00f067aa0ba902b7-01"),
            short_id(ID, 6, '…'),
            short_id(ID, 8, '~'),
            "01HXR3F2…".into(),
            "01HXR3F2...".into(),
            "…K0JD".into(),
            "..k0jd".into(),
            "K0JD".into(),
            "01HXR3".into(),
            "oihxr3".into(),
            ID[1..].into(),
        ];
        for form in forms {
            let matcher: TraceMatcher = form.parse().unwrap_or_else(|error| panic!("{form}: {error}"));
            assert!(matcher.matches(ID) && matcher.matches(&ID.to_lowercase()), "{form}");
            assert!(ID.contains(matcher.needle()), "{form}");
            for other in ["02M8A0G3E348C4B0ZHM3A5BRTZ", "", "ü", "K0J", "ü1HXR3F2M9Z5T1V8Q4W7N6K0Jü"] {
                assert!(!matcher.matches(other), "{form} {other}");
            }
        }
        assert_eq!(ID.parse::<TraceMatcher>().unwrap().whole(), ID.parse().ok());
        assert_eq!("K0JD".parse::<TraceMatcher>().unwrap().whole(), None);
    }

    #[test]
    fn the_shown_form_is_both_ends() {
        let matcher: TraceMatcher = "01HXR3~K0JD".parse().unwrap();
        assert!(
            !matcher.matches("01HXR3F2M9Z5T1V8Q4W7N6K0JE") && !matcher.matches("01HXR4F2M9Z5T1V8Q4W7N6K0JD")
        );
        assert_eq!(matcher.to_string(), "01HXR3…K0JD");
    }

    #[test]
    fn a_mistake_lists_the_forms() {
        let long = "0".repeat(27);
        for (text, problem) in [
            ("", "too few"),
            ("K0J", "too few"),
            ("…", "too few"),
            (&long, "too many"),
            ("K0JD!", "letters and digits only"),
            ("K0JÜ", "letters and digits only"),
            ("01HXRU", "no letter U"),
            ("01HXR3…K0…JD", "letters and digits only"),
            ("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "no trace ID"),
            ("00000000000000000000000000000000", "too many"),
        ] {
            let error = text.parse::<TraceMatcher>().unwrap_err();
            assert!(
                error.contains(problem) && error.contains("01HXR3…K0JD") && error.contains("32"),
                "{text}: {error}"
            );
        }
    }
}
