//! What must not be in any output: passwords, tokens, keys, control characters.

use std::borrow::Cow;

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
const SECRET_NAMES: [&str; 21] = [
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
    "seed",
    "private_key",
    "private-key",
    "secret_key",
    "signing_key",
    "cookie",
];

const SEPARATORS: [char; 8] = [' ', '\t', '\n', '"', '\'', '`', '<', '>'];

/// Hides URL passwords, secret query parameters, `Bearer …`/`Basic …` credentials, `token: …`, `sk-…` keys, 32 bytes
/// in hex or base64, and private keys in PEM in `text` (D7).
pub(crate) fn redact(text: &str) -> String {
    let text = &*without_pem(text);
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

/// `text` up to a private key in PEM, which is then all that there is to say.
fn without_pem(text: &str) -> Cow<'_, str> {
    match text.find("-----BEGIN ") {
        Some(at) if text[at..].contains("PRIVATE KEY") => Cow::Owned(format!("{}{HIDDEN}", &text[..at])),
        _ => Cow::Borrowed(text),
    }
}

fn redact_word(word: &str) -> String {
    if is_api_key(word) {
        return HIDDEN.to_owned();
    }
    let bare = word.trim_matches(|c: char| !is_base64(c) || c == '=');
    if is_key_bytes(bare) {
        return word.replacen(bare, HIDDEN, 1);
    }
    match word.split_once(':') {
        Some((name, value)) if is_secret_name(name) && !value.is_empty() => format!("{name}:{HIDDEN}"),
        _ => redact_parameters(&redact_userinfo(word)),
    }
}

fn is_api_key(word: &str) -> bool {
    const PREFIXES: [&str; 8] = ["sk-", "sk_", "ghp_", "github_pat_", "glpat-", "hf_", "xoxb-", "eyJ"];
    word.len() >= 16 && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// 32 bytes, as of a seed, in hex or base64. What is public has a name before it: `ed25519:…`.
fn is_key_bytes(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    match word.len() {
        _ if word.starts_with('/') => false, // a path
        64 => word.bytes().all(|b| b.is_ascii_hexdigit()),
        43 => {
            word.chars().all(is_base64)
                && has(u8::is_ascii_uppercase)
                && has(u8::is_ascii_lowercase)
                && has(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=".contains(c)
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

/// Control characters, and those that show nothing or turn the direction of what follows.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        assert_eq!(redact(input), expected);
    }

    #[test]
    fn hides_secrets_of_urls() {
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
        check("seed: 0x1 refused", "seed: [redacted] refused");
        check("eyJhbGciOiJIUzI1NiJ9.e30.x refused", "[redacted] refused");
    }

    #[test]
    fn hides_the_bytes_of_a_key() {
        let hex = "6120736565642074686174206d757374206e6f74206265207072696e74656421";
        let base64 = "YSBzZWVkIHRoYXQgbXVzdCBub3QgYmUgcHJpbnRlZCE";
        for key in [hex, &hex.to_uppercase(), base64] {
            check(key, "[redacted]");
            check(&format!("read ({key}), refused"), "read ([redacted]), refused");
            check(&format!("'{key}'"), "'[redacted]'");
        }
        check(&format!("{base64}= has a wrong end"), "[redacted]= has a wrong end");
        let pem = "key: -----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----";
        check(pem, "key: [redacted]");
        // A node's ID is public, and says what it is.
        check(&format!("node ed25519:{base64}"), &format!("node ed25519:{base64}"));
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
