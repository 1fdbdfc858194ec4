//! Text for the log and for traces: without control characters, credentials and queries, and of bounded length.

/// Maximum length of a text in bytes. A span field holds 256.
pub(super) const MAX_BYTES: usize = 240;

/// Length of the longest text that is read. The rest is not worth the time.
const MAX_READ_CHARS: usize = 4096;

const REDACTED: &str = "[redacted]";

/// Returns `text` as it may be shown.
///
/// The end of a long text is kept as well as its start, because the last link of a chain of errors says most.
pub(crate) fn shown(text: &str) -> String {
    let plain: String = text.chars().take(MAX_READ_CHARS).map(|c| if is_odd(c) { ' ' } else { c }).collect();
    let (mut out, mut before) = (String::new(), "");
    for word in plain.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        match announces_secret(before) {
            true => out.push_str(REDACTED),
            false => out.push_str(&without_secrets(&without_credentials(word))),
        }
        before = word;
    }
    cut(out)
}

/// Returns whether a terminal or a reader may take `c` for something else than a character of the text, or not see it.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Removes user, password, query and fragment of a URL.
fn without_credentials(word: &str) -> String {
    let start = match word.find("://") {
        Some(scheme) => scheme + 3,
        None if word.starts_with('/') => 0,
        None => return word.to_owned(),
    };
    let (head, rest) = word.split_at(start);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = &rest[..end];
    // An `@` in the path is no mark of a user.
    let authority = rest.find('/').unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    format!("{head}{}", &rest[host..])
}

/// Names whose value is a secret.
const SECRET_NAMES: [&str; 12] = [
    "key",
    "api_key",
    "api-key",
    "apikey",
    "x-api-key",
    "token",
    "access_token",
    "password",
    "passwd",
    "secret",
    "authorization",
    "bearer",
];

/// Returns whether the word after `word` is a secret, as in `Bearer abc`, `Basic abc` and `password: abc`.
fn announces_secret(word: &str) -> bool {
    let name = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    match name.as_str() {
        "bearer" | "basic" => true,
        name => word.ends_with([':', '=']) && SECRET_NAMES.contains(&name),
    }
}

fn without_secrets(word: &str) -> String {
    if let Some((name, value)) = word.split_once(['=', ':']) {
        let plain = name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
        if SECRET_NAMES.contains(&plain.as_str()) && value.contains(char::is_alphanumeric) {
            return format!("{name}={REDACTED}");
        }
    }
    let (mut out, mut run) = (String::new(), String::new());
    // The last character ends the last run.
    for c in word.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*') {
            run.push(c);
            continue;
        }
        match is_secret(&run) && !out.ends_with(PUBLIC_KEY) {
            true => out.push_str(REDACTED),
            false => out.push_str(&run),
        }
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// Mark of a node ID, which is public.
const PUBLIC_KEY: &str = "ed25519:";

/// Beginnings of the keys that vendors hand out.
const KEY_PREFIXES: [&str; 10] =
    ["sk-", "sk_", "pk-", "rk_", "gsk_", "hf_", "ghp_", "github_pat_", "AIza", "eyJ"];

/// Minimum length of a part that is taken for a key by its looks. A trace ID has 26 characters.
const MIN_KEY_CHARS: usize = 32;

fn is_secret(run: &str) -> bool {
    if run.len() >= 8 && KEY_PREFIXES.iter().any(|prefix| run.starts_with(prefix)) {
        return true;
    }
    // Names of models are long too. They have dashes.
    run.split(['-', '*']).any(|part| {
        let has = |kind: fn(&u8) -> bool| part.as_bytes().iter().any(kind);
        part.len() >= MIN_KEY_CHARS && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    })
}

/// Cuts the middle out of a text that is too long.
fn cut(text: String) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= MAX_BYTES {
        return text;
    }
    let half = (MAX_BYTES - ELLIPSIS.len()) / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    format!("{}{ELLIPSIS}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    #[test]
    fn unsafe_characters_become_blanks() {
        for letter in UNSAFE {
            assert_eq!(shown(&format!("a{letter}b")), "a b", "{letter:?}");
        }
    }

    #[test]
    fn secrets_are_redacted_and_the_rest_stays() {
        for (text, expected) in [
            ("POST http://ada:pw@host:1/v1?key=abc#x: closed", "POST http://host:1/v1 closed"),
            ("http://ada:p@w@host/a@b", "http://host/a@b"),
            ("/v1/chat?api_key=abc", "/v1/chat"),
            ("Incorrect API key provided: sk-abc***xyz.", "Incorrect API key provided: [redacted]."),
            ("Authorization: Bearer abc", "Authorization: [redacted] [redacted]"),
            ("Authorization: Basic YWJj", "Authorization: [redacted] [redacted]"),
            ("got {\"api_key\":\"abc\"}", "got {\"api_key\"=[redacted]"),
            ("password: hunter2 is wrong", "password: [redacted] is wrong"),
            ("token 0123456789abcdef0123456789abcdef", "token [redacted]"),
            (
                "peer ed25519:0123456789abcdef0123456789abcdef",
                "peer ed25519:0123456789abcdef0123456789abcdef",
            ),
            ("max_tokens: must be 1", "max_tokens: must be 1"),
            (
                "model meta-llama-3.1-8b-instruct-q4_K_M-imatrix",
                "model meta-llama-3.1-8b-instruct-q4_K_M-imatrix",
            ),
            ("a\u{1b}[2Jb\nc\u{202e}d\u{85}", "a [2Jb c d"),
            ("connection refused (os error 111)", "connection refused (os error 111)"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_keeps_both_ends() {
        let long = shown(&format!("POST {} refused", "ä ".repeat(1000)));
        assert!(long.len() <= MAX_BYTES && long.starts_with("POST ") && long.ends_with(" refused"), "{long}");
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_harmless(text in ".*") {
            let shown = shown(&text);
            prop_assert!(shown.len() <= MAX_BYTES && !shown.contains(is_odd));
        }
    }
}
