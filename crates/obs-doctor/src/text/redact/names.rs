//! Names whose values are secrets.

use super::kind::SecretKind;

/// Maximum number of words of a name that are looked at, from its end.
const WORDS: usize = 8;

/// Words that say how a secret is written or numbered. The word before them decides.
const QUALIFIERS: [&str; 14] = [
    "value", "data", "hash", "base64", "b64", "hex", "pem", "string", "text", "old", "new", "current",
    "previous", "raw",
];

/// Words before `key` with which it is not a secret.
const PLAIN_KEYS: [&str; 16] = [
    "public",
    "primary",
    "foreign",
    "cache",
    "partition",
    "sort",
    "route",
    "map",
    "hash",
    "json",
    "object",
    "lookup",
    "pub",
    "row",
    "unknown",
    "no",
];

/// Words before `token` with which it is a word of a language model or of a parser.
const PLAIN_TOKENS: [&str; 15] = [
    "max",
    "min",
    "per",
    "stop",
    "eos",
    "bos",
    "pad",
    "next",
    "first",
    "last",
    "unexpected",
    "expected",
    "invalid",
    "to",
    "time",
];

/// Returns the kind of the value of something called `name`, if it is a secret wherever the name stands.
pub(super) fn kind_of(name: &[u8]) -> Option<SecretKind> {
    let (words, count) = words_of(name);
    let mut words = &words[..count];
    while let [before @ .., last] = words
        && !before.is_empty()
        && (is_one_of(last, &QUALIFIERS) || last.iter().all(u8::is_ascii_digit))
    {
        words = before;
    }
    let (last, before) = match words {
        [.., before, last] => (*last, Some(*before)),
        [last] => (*last, None),
        [] => return None,
    };
    let kind = kind_of_words(last, before)?;
    // A line of an `.env` file.
    let is_variable = name.contains(&b'_') && !name.iter().any(u8::is_ascii_lowercase);
    Some(if is_variable { SecretKind::Secret } else { kind })
}

fn kind_of_words(last: &[u8], before: Option<&[u8]>) -> Option<SecretKind> {
    let last_is = |words: &[&str]| is_one_of(last, words);
    let before_is = |words: &[&str]| before.is_some_and(|before| is_one_of(before, words));
    Some(match before {
        // As in `open_without_credentials`.
        Some(_) if before_is(&["without"]) => return None,
        _ if last_is(&["password", "passwd", "passphrase", "passcode", "pwd", "requirepass"]) => {
            SecretKind::Password
        }
        Some(_) if last_is(&["pass"]) => SecretKind::Password,
        _ if last_is(&["token", "jwt", "pat", "bearer", "sessionid"]) && !before_is(&PLAIN_TOKENS) => {
            SecretKind::Token
        }
        Some(_) if last_is(&["id", "key", "token"]) && before_is(&["session"]) => SecretKind::Token,
        _ if last_is(&["authorization"]) => SecretKind::Authorization,
        Some(_) if last_is(&["auth"]) => SecretKind::Authorization,
        _ if last_is(&["cookie", "cookies"]) => SecretKind::Cookie,
        Some(_) if last_is(&["key"]) && !before_is(&PLAIN_KEYS) => SecretKind::Key,
        _ if last_is(&[
            "seed",
            "apikey",
            "secretkey",
            "accesskey",
            "privatekey",
            "authkey",
            "signingkey",
        ]) =>
        {
            SecretKind::Key
        }
        _ if last_is(&[
            "secret",
            "secrets",
            "psk",
            "mnemonic",
            "otp",
            "pin",
            "credential",
            "credentials",
        ]) =>
        {
            SecretKind::Secret
        }
        _ => return None,
    })
}

/// Returns whether the value in `name=value` is a secret, although the name alone does not say so.
pub(super) fn is_assigned(name: &[u8]) -> bool {
    is_one_of(name, &["key", "auth", "pass", "session", "sid", "sig"])
}

/// Returns whether the value of a query parameter is a secret.
pub(super) fn is_parameter(name: &[u8]) -> bool {
    const PARTS: [&str; 7] = ["token", "secret", "passw", "passphrase", "credential", "apikey", "signature"];
    let (words, count) = words_of(name);
    let is_word = |word: &&[u8]| {
        is_one_of(word, &["key", "auth", "oauth", "sig", "code", "pin", "session", "sid", "pwd", "jwt"])
    };
    let has =
        |part: &str| name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
    words[..count].iter().any(is_word) || PARTS.iter().any(|part| has(part))
}

/// Returns whether a value of this name tells the name of the value beside it: `name=…, value=…`.
pub(super) fn is_label(name: &[u8]) -> bool {
    is_one_of(name, &["name", "key", "header", "field", "k", "variable", "var", "param"])
}

/// Returns whether this is the name of a value with a label beside it.
pub(super) fn is_labelled(name: &[u8]) -> bool {
    is_one_of(name, &["value", "val", "v", "content", "data"])
}

/// Splits a name into words: at signs, and before an upper-case letter after a lower-case one.
fn words_of(name: &[u8]) -> ([&[u8]; WORDS], usize) {
    let mut words: [&[u8]; WORDS] = [&[]; WORDS];
    let (mut count, mut start) = (0, 0);
    for at in 0..=name.len() {
        let here = name.get(at).copied();
        let is_end = here.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let is_hump = at > start
            && here.is_some_and(|byte| byte.is_ascii_uppercase())
            && name[at - 1].is_ascii_lowercase();
        if !(is_end || is_hump) {
            continue;
        }
        if start < at {
            if count == WORDS {
                words.rotate_left(1);
                count -= 1;
            }
            words[count] = &name[start..at];
            count += 1;
        }
        start = if is_end { at + 1 } else { at };
    }
    (words, count)
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "password",
            "DB_PASSWORD",
            "db.password",
            "dbPassword",
            "X-Api-Key",
            "apiKey",
            "APIKEY",
            "access_token",
            "client_secret",
            "Set-Cookie",
            "proxy-authorization",
            "AWS_SECRET_ACCESS_KEY",
            "token_2",
            "private_key_pem",
            "SMTP_PASS",
            "session_id",
            "GH_PAT",
            "seed",
        ] {
            assert!(kind_of(name.as_bytes()).is_some(), "{name}");
        }
        for name in [
            "max_tokens",
            "tokens",
            "tokenizer",
            "token_type",
            "public_key",
            "keys_dir",
            "key",
            "monkey",
            "pass",
            "author",
            "capability",
            "trace_id",
            "compass",
            "passed",
            "code",
            "stop_token",
            "",
        ] {
            assert!(kind_of(name.as_bytes()).is_none(), "{name}");
        }
        assert_eq!(kind_of(b"DB_PASSWORD"), Some(SecretKind::Secret));
        for name in ["access_token", "code", "X-Amz-Signature", "key", "oauth_token"] {
            assert!(is_parameter(name.as_bytes()), "{name}");
        }
        for name in ["keyword", "author", "n", "status", "mapping", "encode"] {
            assert!(!is_parameter(name.as_bytes()), "{name}");
        }
    }
}
