//! Secrets that show by a name or a word before them: `password: …`, `"token": "…"`, `KEY=…`, `Bearer …`.

use super::finding::{Finding, is_separator};
use super::kind::SecretKind;
use super::names;

/// Maximum length of a name in bytes.
const MAX_NAME: usize = 64;
/// Maximum distance of a value from the name that stands beside it (`name=token, value=…`).
const NEAR: usize = 80;
/// Maximum length of a quoted value. Longer ones end there, so that a text with many open quotes takes no square of its length.
const MAX_QUOTED: usize = 16 << 10;
/// Maximum length of a value without quotes, for the same reason.
const MAX_WORD: usize = 8 << 10;
/// Maximum length of a list of numbers in bytes: 64 bytes of a key with commas and blanks.
const MAX_LIST: usize = 320;

/// Finds the values of names.
pub(super) fn named(text: &[u8], found: &mut Vec<Finding>) {
    let mut label: Option<(SecretKind, usize)> = None;
    let mut at = 0;
    while at < text.len() {
        at = next_sign(text, at);
        let Some(name) = name_before(text, at) else {
            at += 1;
            continue;
        };
        let word = &text[name.0..name.1];
        let before = name.0.checked_sub(1).map(|before| text[before]);
        let is_query = text[at] == b'=' && before.is_some_and(|byte| b"?&#".contains(&byte));
        let is_strong = names::kind_of(word);
        let is_parameter = is_query && names::is_parameter(word);
        let is_assigned = text[at] == b'=' && names::is_assigned(word);
        let is_beside = names::is_label(word) || label.is_some() && names::is_labelled(word);
        let sign = at;
        at += 1;
        if is_strong.is_none() && !is_parameter && !is_assigned && !is_beside {
            continue;
        }
        let Some(value) = Value::after(text, at) else { continue };
        let by_label = label.filter(|(_, end)| names::is_labelled(word) && sign - end.min(&sign) <= NEAR);
        let kind = match (is_strong, by_label) {
            (Some(kind), _) if text[sign] != b',' || value.is_quoted => Some(kind),
            (None, Some((kind, _))) => Some(kind),
            _ if is_parameter => Some(SecretKind::Parameter),
            _ if is_assigned && !is_assigned_in_words(text, value) => Some(SecretKind::Parameter),
            _ => None,
        };
        if names::is_label(word) {
            label = names::kind_of(&text[value.start..value.end]).map(|kind| (kind, value.end));
        }
        if let Some(kind) = kind {
            let value = value.of(text, kind, is_query);
            if !is_harmless(&text[value.start..value.end], kind) {
                found.push(Finding::new(value.start, value.end, kind));
                // Its parts are hidden with it.
                at = value.end;
            }
        }
    }
}

/// Returns the next place from `at` on where a sign may be, or the end.
fn next_sign(text: &[u8], at: usize) -> usize {
    let is_sign = |byte: &u8| matches!(byte, b'=' | b':' | b',' | b' ');
    text[at..].iter().position(is_sign).map_or(text.len(), |sign| at + sign)
}

/// Returns whether the value names a secret and is none: `key="password" value="…"`.
fn is_assigned_in_words(text: &[u8], value: Value) -> bool {
    names::kind_of(&text[value.start..value.end]).is_some()
}

/// Returns the place of the name before the sign at `at`, if there is a sign.
fn name_before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let sign = *text.get(at)?;
    let next = text.get(at + 1).copied();
    let quoted_pair = || {
        let next = text[at + 1..].iter().find(|byte| **byte != b' ');
        at > 0 && is_quote(text[at - 1]) && next.copied().is_some_and(is_quote)
    };
    let is_sign = match sign {
        b'=' => at > 0 && !b"=!<>".contains(&text[at - 1]),
        // Paths of programs have two colons, and `://` follows a scheme.
        b':' => next != Some(b':') && (at == 0 || text[at - 1] != b':') && !text[at + 1..].starts_with(b"//"),
        b',' => quoted_pair(),
        // `--token abc`
        b' ' => is_flag(text, at),
        _ => false,
    };
    if !is_sign {
        return None;
    }
    let end = text[..at].iter().rposition(|byte| !b" \t".contains(byte)).filter(|end| at - end <= 3)? + 1;
    let end = end - text[..end].iter().rev().take(8).take_while(|byte| b"\"'`\\]".contains(byte)).count();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let length = text[..end].iter().rev().take(MAX_NAME).take_while(|byte| is_name(byte)).count();
    (length > 0).then_some((end - length, end))
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// Returns whether the word before the blank is an option of a command: `--name`.
fn is_flag(text: &[u8], at: usize) -> bool {
    let word = text[..at].iter().rev().take(MAX_NAME + 2).take_while(|byte| !is_separator(**byte)).count();
    text[at - word..at].starts_with(b"--")
}

/// Place of a value.
#[derive(Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
    is_quoted: bool,
}

impl Value {
    /// Returns the value after a sign.
    fn after(text: &[u8], from: usize) -> Option<Value> {
        let is_blank = |byte: &u8| byte.is_ascii_whitespace();
        let skip = |from: usize, most: usize, is_skipped: &dyn Fn(&u8) -> bool| {
            from + text[from..].iter().take(most).take_while(|byte| is_skipped(byte)).count()
        };
        let signs = skip(from, 2, &|byte| b"=>".contains(byte));
        let mut start = skip(signs, 24, &is_blank);
        // The value of `token:` at the end of a line may be on the next one. A line with a name of its own is not one.
        if text[signs..start].contains(&b'\n') && word(text, start).iter().any(|byte| b"=:".contains(byte)) {
            return None;
        }
        let mut is_list = false;
        // `Some("…")`, `["…", "…"]`
        while let Some(open) = wrapper(&text[start..]) {
            is_list |= text[start + open - 1] == b'[';
            start = skip(start + open, 24, &is_blank);
        }
        // `b"…"`, `r"…"`
        let letters = skip(start, 2, &|byte| b"brf".contains(byte));
        let quotes = if quote(&text[letters..]).is_some() { letters } else { start };
        let Some((opening, mark)) = quote(&text[quotes..]) else {
            let list = text[start..].iter().take(MAX_LIST).position(|byte| b"]\n".contains(byte));
            let end = start + list.filter(|_| is_list).unwrap_or_else(|| word(text, start).len());
            return (start < end).then_some(Value { start, end, is_quoted: is_list });
        };
        let start = quotes + opening;
        let text = &text[..text.len().min(start + MAX_QUOTED)];
        let line_end = || start + text[start..].iter().take_while(|byte| **byte != b'\n').count();
        let end = match is_list {
            true => {
                text[start..].iter().position(|byte| *byte == b']').map_or_else(line_end, |end| start + end)
            }
            false => closing(text, start, opening, mark).unwrap_or_else(line_end),
        };
        (start < end).then_some(Value { start, end, is_quoted: true })
    }

    /// Returns the part of the value that is a secret of this kind.
    fn of(self, text: &[u8], kind: SecretKind, is_query: bool) -> Value {
        if self.is_quoted {
            return self;
        }
        let rest = &text[self.start..];
        let line = || rest.iter().take_while(|byte| !b"\n\r\"'`".contains(byte)).count();
        match kind {
            SecretKind::Cookie => Value { end: self.start + line(), ..self },
            SecretKind::Authorization => {
                let scheme = &text[self.start..self.end];
                let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'+');
                let blanks = text[self.end..].iter().take_while(is_blank).count();
                if !is_scheme(scheme) || blanks == 0 {
                    return self;
                }
                let start = self.end + blanks;
                // These schemes have several parts.
                let has_parts =
                    !scheme.eq_ignore_ascii_case(b"bearer") && !scheme.eq_ignore_ascii_case(b"basic");
                let end = if has_parts {
                    text.len().min(start + line_of(text, start))
                } else {
                    start + word(text, start).len()
                };
                Value { start, end, is_quoted: false }
            }
            _ => {
                let length =
                    rest[..self.end - self.start].iter().enumerate().position(|(at, byte)| match byte {
                        b'&' | b'#' if is_query => true,
                        b'&' | b';' | b',' => begins_pair(&rest[at + 1..]),
                        _ => false,
                    });
                Value { end: length.map_or(self.end, |length| self.start + length), ..self }
            }
        }
    }
}

fn line_of(text: &[u8], start: usize) -> usize {
    text[start..].iter().take_while(|byte| **byte != b'\n').count()
}

/// Returns the word at `start`.
fn word(text: &[u8], start: usize) -> &[u8] {
    let most = &text[start..text.len().min(start + MAX_WORD)];
    let length = most.iter().take_while(|byte| !is_separator(**byte)).count();
    &most[..length]
}

/// Returns the length of the opening of a wrapper: `Some(`, `[`, `{`.
fn wrapper(text: &[u8]) -> Option<usize> {
    let letters = text.iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let open = *text.get(letters)?;
    let is_plain = letters == 0 && matches!(open, b'[' | b'{' | b'(');
    // An own mark is no list.
    let is_mark = open == b'[' && text.get(1).is_some_and(u8::is_ascii_lowercase);
    let is_call =
        letters > 0 && open == b'(' && text.get(letters + 1).is_some_and(|byte| b"\"'\\bS".contains(byte));
    (is_plain && !is_mark || is_call).then_some(letters + 1)
}

/// Returns the length of the quotes at the start of `text`, with their backslashes, and their sign.
fn quote(text: &[u8]) -> Option<(usize, u8)> {
    let slashes = text.iter().take(8).take_while(|byte| **byte == b'\\').count();
    let mark = text.get(slashes).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let is_triple = slashes == 0 && text.starts_with(&[mark, mark, mark]);
    Some((if is_triple { 3 } else { slashes + 1 }, mark))
}

/// Returns the end of the quoted text that begins at `start`.
fn closing(text: &[u8], start: usize, opening: usize, mark: u8) -> Option<usize> {
    if opening == 3 && text[start - 3..start] == [mark; 3] {
        return text[start..].windows(3).position(|window| window == [mark; 3]).map(|end| start + end);
    }
    let slashes = opening - 1;
    let mut at = start;
    while at < text.len() {
        at += text[at..].iter().position(|byte| *byte == mark)?;
        let before = text[start..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        // A quote within the text has more backslashes. One that ends an outer text has fewer.
        if before <= slashes {
            return Some(at - before);
        }
        at += 1;
    }
    None
}

fn begins_pair(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    name > 0 && text.get(name).is_some_and(|sign| b"=:".contains(sign))
}

/// Returns whether the value of a secret's name is none: empty, absent, hidden already, or a count.
pub(super) fn is_harmless(value: &[u8], kind: SecretKind) -> bool {
    const ABSENT: [&str; 8] = ["null", "none", "nil", "true", "false", "undefined", "None", "***"];
    let plain = value.trim_ascii();
    let plain = &plain[..plain.iter().rposition(|byte| !b",;)}".contains(byte)).map_or(0, |last| last + 1)];
    let is_count = || {
        plain.len() <= 9
            && plain.iter().all(u8::is_ascii_digit)
            && matches!(kind, SecretKind::Token | SecretKind::Key)
    };
    plain.is_empty() || ABSENT.iter().any(|absent| plain == absent.as_bytes()) || is_mark(plain) || is_count()
}

/// Returns whether the text is the mark of a hidden secret.
fn is_mark(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    inner.is_some_and(|inner| {
        inner == b"redacted" || SecretKind::ALL.iter().any(|kind| inner == kind.as_str().as_bytes())
    })
}

fn is_scheme(word: &[u8]) -> bool {
    const SCHEMES: [&str; 9] =
        ["bearer", "basic", "digest", "token", "negotiate", "ntlm", "apikey", "hawk", "aws4-hmac-sha256"];
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// Finds the word after `Bearer` and `Basic`.
pub(super) fn schemes(text: &[u8], found: &mut Vec<Finding>) {
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'B' | b'b')) {
        let Some(length) = [&b"bearer"[..], b"basic"]
            .iter()
            .find(|scheme| {
                text.get(at..at + scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme))
            })
            .map(|scheme| scheme.len())
        else {
            continue;
        };
        let is_whole = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        let after = at + length;
        let blanks = text[after..].iter().take(8).take_while(|byte| b" \t+\n\r".contains(byte)).count();
        let value = word(text, after + blanks);
        if is_whole && blanks > 0 && !value.is_empty() && !is_word_of_prose(value) && !is_mark(value) {
            let start = after + blanks;
            found.push(Finding::new(start, start + value.len(), SecretKind::Authorization));
        }
    }
}

/// Returns whether the word follows `Basic` or `Bearer` in a sentence.
fn is_word_of_prose(word: &[u8]) -> bool {
    const WORDS: [&str; 14] = [
        "token",
        "tokens",
        "auth",
        "authentication",
        "authorization",
        "scheme",
        "credentials",
        "is",
        "was",
        "or",
        "and",
        "failed",
        "realm",
        "tests",
    ];
    let end = word.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1);
    WORDS.iter().any(|known| word[..end].eq_ignore_ascii_case(known.as_bytes()))
}
