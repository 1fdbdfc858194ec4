//! What must not be in any output: passwords, tokens, control characters.

pub(crate) const HIDDEN: &str = "[redacted]";
const SECRET_KEYS: [&str; 13] = [
    "token",
    "key",
    "secret",
    "passw",
    "pwd",
    "passphrase",
    "auth",
    "sig",
    "credential",
    "session",
    "code",
    "jwt",
    "pin",
];

/// Names whose value is a secret wherever it stands: `password: …`, `"token": "…"`.
const SECRET_NAMES: [&str; 15] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "api_key",
    "apikey",
    "token",
    "access_token",
    "refresh_token",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
];

const SEPARATORS: [char; 8] = [' ', '\t', '\n', '"', '\'', '`', '<', '>'];

/// Hides URL passwords, secret query parameters, `Bearer …`/`Basic …` credentials, `token: …` and `sk-…` keys in
/// `text` (D7).
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut next = Next::Plain;
    for piece in text.split_inclusive(SEPARATORS) {
        let (word, separator) = piece.split_at(piece.trim_end_matches(SEPARATORS).len());
        if next == Next::Secret && !word.is_empty() && !is_scheme(word) {
            out.push_str(HIDDEN);
        } else {
            out.push_str(&redact_word(word));
        }
        if !word.is_empty() {
            next = next.after(word);
        }
        out.push_str(separator);
    }
    out
}

/// What a word lets expect of the one after it.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Plain,
    /// The colon or equals sign after a secret's name.
    Sign,
    Secret,
}

impl Next {
    fn after(self, word: &str) -> Self {
        let name = word.trim_end_matches([':', '=']);
        let has_sign = name.len() < word.len();
        match self {
            _ if is_scheme(word) => Self::Secret,
            Self::Sign if name.is_empty() => Self::Secret,
            _ if !is_secret_name(name) => Self::Plain,
            _ if has_sign => Self::Secret,
            _ => Self::Sign,
        }
    }
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether the value that goes by `name` is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn redact_word(word: &str) -> String {
    if is_api_key(word) {
        return HIDDEN.to_owned();
    }
    match word.split_once(':') {
        Some((name, value)) if is_secret_name(name) && !value.is_empty() => format!("{name}:{HIDDEN}"),
        _ => redact_parameters(&redact_userinfo(word)),
    }
}

fn is_api_key(word: &str) -> bool {
    word.len() >= 16 && ["sk-", "sk_", "ghp_", "hf_", "xoxb-"].iter().any(|prefix| word.starts_with(prefix))
}

/// `scheme://user:pass@host` and a bare `user:pass@host`.
fn redact_userinfo(word: &str) -> String {
    let start = word.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = word.split_at(start);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // A raw `/`, `?` or `@` in a password is a mistake people make: then all up to the last `@` may be one.
    let may_hold_password = if start > 0 { authority.contains([':', '@']) } else { authority.contains(':') };
    match rest.rfind('@') {
        Some(at) if may_hold_password => format!("{scheme}{HIDDEN}{}", &rest[at..]),
        None if start > 0 && has_odd_port(authority) => {
            let user = authority.find(':').unwrap_or_default();
            format!("{scheme}{}:{HIDDEN}", &authority[..user])
        }
        _ => word.to_owned(),
    }
}

/// The first half of an address that was cut within its password.
fn has_odd_port(authority: &str) -> bool {
    !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

/// `?token=…`, `&api_key=…`, `#access_token=…`, `password=…`.
fn redact_parameters(word: &str) -> String {
    if !word.contains('=') {
        return word.to_owned();
    }
    word.split_inclusive(['?', '&', '#', ';'])
        .map(|piece| {
            let (pair, separator) = piece.split_at(piece.trim_end_matches(['?', '&', '#', ';']).len());
            match pair.split_once('=') {
                Some((key, value)) if !value.is_empty() && is_secret_key(key) => {
                    format!("{key}={HIDDEN}{separator}")
                }
                _ => piece.to_owned(),
            }
        })
        .collect()
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|secret| key.contains(secret))
}

/// One line of at most `max` characters: control and direction characters escaped, secrets hidden.
///
/// What a check says may hold text from peers, and ends up in terminals.
pub(crate) fn clean(text: &str, max: usize) -> String {
    // A hostile text may be of any length; nothing beyond this could be shown.
    let head: String = text.chars().take(max * 4).collect();
    let mut out = String::new();
    for (count, c) in redact(&head).chars().enumerate() {
        if count >= max {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        assert_eq!(redact(input), expected);
    }

    #[test]
    fn hides_secrets_of_urls_d7() {
        check("http://me:hunter2@host:11434/v1 refused", "http://[redacted]@host:11434/v1 refused");
        check("http://only-a-token@host/", "http://[redacted]@host/");
        check("GET http://h/x?a=1&api_key=abc&b=2", "GET http://h/x?a=1&api_key=[redacted]&b=2");
        check("http://h/#access_token=abc", "http://h/#access_token=[redacted]");
        check("user:hunter2@host:80", "[redacted]@host:80");
        check("http://me:p@ss/w@rd@host/", "http://[redacted]@host/");
        check("http://me:pa/ss@host/", "http://[redacted]@host/");
        check("http://me:pa?ss@host/", "http://[redacted]@host/");
        check("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]");
        check("\"http://a:b@c\", \"http://d:e@f\"", "\"http://[redacted]@c\", \"http://[redacted]@f\"");
        check("key sk-1234567890abcdef was refused", "key [redacted] was refused");
        check("X-Api-Key: abc, refused", "X-Api-Key: [redacted] refused");
        check("Authorization: abc", "Authorization: [redacted]");
        check("token:abc password = def", "token:[redacted] password = [redacted]");
        check(r#"{"token":"abc","n":1}"#, r#"{"token":"[redacted]","n":1}"#);
        check("no token is set", "no token is set");
    }

    #[test]
    fn leaves_plain_text_alone() {
        for text in [
            "~/.local/share/hearthnet/keys/device.ed25519, 0600",
            "http://127.0.0.1:11434/v1/models",
            "http://[::1]:7080/health",
            "node ed25519:3q2-7wABC is another",
            "http://host/@user",
            "mail me@example.org",
            "5 of 100 calls failed (5 %)",
            "",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn clean_escapes_and_bounds() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d", 100), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(clean(&"x".repeat(1000), 10), format!("{}…", "x".repeat(10)));
    }

    proptest::proptest! {
        #[test]
        fn clean_never_leaves_a_control_character_or_panics(text in ".{0,200}") {
            proptest::prop_assert!(!clean(&text, 400).chars().any(is_unprintable));
        }

        #[test]
        fn a_url_password_never_survives(password in "[A-Za-z0-9!$*()._/?@=&-]{8,40}") {
            let out = redact(&format!("cannot reach http://user:{password}@host.example:8080/v1"));
            proptest::prop_assert!(!out.contains(&password), "{}", out);
        }
    }
}
