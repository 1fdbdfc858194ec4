//! Short forms of trace IDs.

use std::fmt;
use std::str::FromStr;

use super::TraceId;

/// Trace ID as people write it: all of it, its beginning, its end, or both.
///
/// | form | example |
/// |---|---|
/// | whole | `01HXR3F2M9Z5T1V8Q4W7N6K0JD` |
/// | W3C trace ID, or a `traceparent` with one | `018fb0378a89fcb41da2e479e7533193` |
/// | beginning or end | `01HXR3F2`, `K0JD` |
/// | beginning and end | `01HXR3…K0JD`, `01HXR3~K0JD`, `01HXR3...K0JD` |
///
/// Case does not matter. A short form has at least four characters and may match several IDs.
///
/// ```
/// use obs_trace::{IdPattern, TraceId};
///
/// let id: TraceId = "01HXR3F2M9Z5T1V8Q4W7N6K0JD".parse()?;
/// for text in ["01hxr3f2", "K0JD", "01HXR3…K0JD", "01HXR3F2M9Z5T1V8Q4W7N6K0JD"] {
///     assert!(text.parse::<IdPattern>()?.matches(id));
/// }
/// let hex: String = id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
/// assert_eq!(hex.parse::<IdPattern>()?.whole(), Some(id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPattern(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Whole(TraceId),
    /// Beginning or end, in upper case.
    Part(String),
    /// Beginning and end, in upper case.
    Ends(String, String),
}

/// Minimum length of a short form. The end of an ID that a terminal shows has four characters.
const MIN_CHARS: usize = 4;
/// Length of the text of an ID.
const ULID_CHARS: usize = 26;
/// Length of the hexadecimal text of an ID.
const HEX_CHARS: usize = 32;

impl IdPattern {
    /// Returns whether `id` has this form.
    pub fn matches(&self, id: TraceId) -> bool {
        let text = id.to_text();
        match &self.0 {
            Form::Whole(whole) => *whole == id,
            Form::Part(part) => text.starts_with(part.as_bytes()) || text.ends_with(part.as_bytes()),
            Form::Ends(beginning, end) => {
                text.starts_with(beginning.as_bytes()) && text.ends_with(end.as_bytes())
            }
        }
    }

    /// Returns the ID, if the pattern is all of one.
    pub fn whole(&self) -> Option<TraceId> {
        match self.0 {
            Form::Whole(id) => Some(id),
            _ => None,
        }
    }
}

impl From<TraceId> for IdPattern {
    fn from(id: TraceId) -> IdPattern {
        IdPattern(Form::Whole(id))
    }
}

/// Writes a form that parses to the same pattern.
impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Whole(id) => id.fmt(f),
            Form::Part(part) => f.write_str(part),
            Form::Ends(beginning, end) => write!(f, "{beginning}…{end}"),
        }
    }
}

impl FromStr for IdPattern {
    type Err = ParseIdPatternError;

    fn from_str(text: &str) -> Result<IdPattern, ParseIdPatternError> {
        if let Some(id) = of_hex(text) {
            return Ok(IdPattern(Form::Whole(id)));
        }
        if text.len() == ULID_CHARS && text.is_ascii() {
            let id = part(text)?.parse().map_err(|_| ParseIdPatternError(()))?;
            return Ok(IdPattern(Form::Whole(id)));
        }
        let ellipsis = ["…", "...", "..", "~"].into_iter().find_map(|ellipsis| text.split_once(ellipsis));
        let (beginning, end) = ellipsis.unwrap_or((text, ""));
        let (beginning, end) = (part(beginning)?, part(end)?);
        match beginning.len() + end.len() {
            MIN_CHARS..ULID_CHARS if ellipsis.is_some() => Ok(IdPattern(Form::Ends(beginning, end))),
            MIN_CHARS..ULID_CHARS => Ok(IdPattern(Form::Part(beginning))),
            _ => Err(ParseIdPatternError(())),
        }
    }
}

/// Parses a W3C trace ID, or the header `traceparent` that has one.
fn of_hex(text: &str) -> Option<TraceId> {
    let mut parts = text.split('-');
    let id = match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(id), None, ..) => id,
        (Some(version), Some(id), Some(span), Some(_flags), None)
            if version.len() == 2 && span.len() == 16 =>
        {
            id
        }
        _ => return None,
    };
    if id.len() != HEX_CHARS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u128::from_str_radix(id, 16).ok()?;
    TraceId::from_bytes(number.to_be_bytes())
}

/// Returns a part of an ID in upper case, with the digits for the letters that look like them.
fn part(text: &str) -> Result<String, ParseIdPatternError> {
    let letter = |letter: char| match letter.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        // Crockford's base 32 has no U.
        'U' => None,
        other => other.is_ascii_alphanumeric().then_some(other),
    };
    if text.len() > ULID_CHARS {
        return Err(ParseIdPatternError(()));
    }
    text.chars().map(letter).collect::<Option<_>>().ok_or(ParseIdPatternError(()))
}

/// Error of a text that is no form of a trace ID.
///
/// ```
/// let error = "x!".parse::<obs_trace::IdPattern>().unwrap_err();
/// assert!(error.to_string().contains("26 characters of a ULID"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdPatternError(());

impl fmt::Display for ParseIdPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a trace ID; use the 26 characters of a ULID, 32 hexadecimal digits, at least 4 characters of its \
             beginning or end, or both such as 01HXR3…K0JD",
        )
    }
}

impl std::error::Error for ParseIdPatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01HXR3F2M9Z5T1V8Q4W7N6K0JD";

    #[test]
    fn every_printed_form_matches_its_id() {
        let id: TraceId = ID.parse().unwrap();
        let hex: String = id.to_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            ID,
            &ID.to_lowercase(),
            &hex,
            &hex.to_lowercase(),
            "01HXR3",
            "01HXR3F2",
            "K0JD",
            "k0jd",
            "01HXR3…K0JD",
            "01HXR3F2…K0JD",
            "01HXR3~K0JD",
            "01HXR3...K0JD",
            "OIHXR3..K0JD",
            &format!("00-{hex}-00f067aa0ba902b7-01"),
            "01HXR3…",
            "…K0JD",
            &ID[1..],
            &ID[..25],
        ] {
            let pattern: IdPattern = text.parse().unwrap();
            assert!(pattern.matches(id), "{text}");
            assert_eq!(pattern.to_string().parse(), Ok(pattern), "{text}");
        }
        for text in ["01HXR4", "K0JE", "01HXR3…K0JE", "01HXR4…K0JD", "HXR3"] {
            assert!(!text.parse::<IdPattern>().unwrap().matches(id), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "0".repeat(1000);
        for text in [
            "",
            "K0J",
            "…",
            "…0JD",
            "01HXR3 K0JD",
            "01HXR3…K0…JD",
            "01HXRU",
            "01HXRé",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "00000000000000000000000000",
            &"0".repeat(32),
            &"0".repeat(27),
            &long,
            "01HXR3F2M9Z5T1V8Q4W7N6K…K0JD",
        ] {
            assert!(text.parse::<IdPattern>().is_err(), "{text:?}");
        }
    }
}
