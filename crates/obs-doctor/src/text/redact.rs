//! Secrets hidden in text: passwords, tokens, keys.

use std::borrow::Cow;

/// Text that replaces a secret.
pub(crate) const HIDDEN: &str = "[redacted]";
/// Parts of parameter names whose value is a secret: `?access_token=…`.
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

/// Names whose value is a secret in any context: `password: …`, `"token": "…"`.
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

// Characters that end a word: a secret may stand in quotes, in JSON or in a shell command.
const SEPARATORS: [char; 8] = [' ', '\t', '\n', '"', '\'', '`', '<', '>'];

/// Hides URL passwords, secret query parameters, `Bearer …`/`Basic …` credentials, `token: …`, `sk-…` keys, 32 bytes
/// in hex or base64, and private keys in PEM.
pub(crate) fn redact(text: &str) -> String {
    let text = &*without_pem(text);
    let mut out = String::with_capacity(text.len());
    let mut next = Next::Plain;
    for piece in text.split_inclusive(SEPARATORS) {
        let (word, separator) = piece.split_at(piece.trim_end_matches(SEPARATORS).len());
        // A scheme word such as `Bearer` is kept, because it is not the secret itself.
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

/// Meaning of a word for the word after it.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// The next word is plain text.
    Plain,
    /// The next word may be the colon or equals sign after the name of a secret.
    Sign,
    /// The next word is a secret.
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

/// Returns whether the value of something called `name` is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Cuts `text` at a private key in PEM form.
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
    // Prefixes of keys that common services issue, and of JSON web tokens (`eyJ`).
    const PREFIXES: [&str; 8] = ["sk-", "sk_", "ghp_", "github_pat_", "glpat-", "hf_", "xoxb-", "eyJ"];
    word.len() >= 16 && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// Returns whether `word` is 32 bytes in hex or base64, as a seed is. Public keys have a prefix: `ed25519:…`.
fn is_key_bytes(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    match word.len() {
        // A path may have this length. A key that begins with a slash is rare.
        _ if word.starts_with('/') => false, // a path
        64 => word.bytes().all(|b| b.is_ascii_hexdigit()),
        43 => {
            // All three kinds of characters, so that a long word or an identifier is not taken for a key.
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

/// Hides the password in `scheme://user:pass@host` and in a bare `user:pass@host`.
fn redact_userinfo(word: &str) -> String {
    let start = word.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = word.split_at(start);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // A password with an unescaped `/`, `?` or `@` is a common mistake. So all text up to the last `@` may belong to it.
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

/// Returns whether the port is not a number: the first part of an address that was cut inside its password.
fn has_odd_port(authority: &str) -> bool {
    !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

/// Hides the values in `?token=…`, `&api_key=…`, `#access_token=…` and `password=…`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        assert_eq!(redact(input), expected);
    }

    #[test]
    fn secrets_of_urls_are_hidden() {
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
    fn the_bytes_of_a_key_are_hidden() {
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
        // A node's ID is public and has a prefix.
        check(&format!("node ed25519:{base64}"), &format!("node ed25519:{base64}"));
    }

    #[test]
    fn plain_text_is_unchanged() {
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

    proptest::proptest! {
        #[test]
        fn a_url_password_never_survives(password in "[A-Za-z0-9!$*()._/?@=&-]{8,40}") {
            let out = redact(&format!("cannot reach http://user:{password}@host.example:8080/v1"));
            proptest::prop_assert!(!out.contains(&password), "{}", out);
        }
    }
}
