//! Secrets hidden in text: passwords, tokens, keys, and in reports what names a person.

mod finding;
mod json;
mod kind;
mod known;
mod names;
mod pairs;
mod personal;
mod redactor;
mod scan;
mod tokens;
mod urls;
mod view;

#[cfg(test)]
#[path = "../../../../../tests/support/planted_secrets.rs"]
mod planted_secrets;
#[cfg(test)]
#[path = "tests.rs"]
mod reports;

pub use self::kind::SecretKind;
pub use self::redactor::Redactor;
use self::scan::{Rules, findings, replaced};

/// Text that replaces a secret.
pub(crate) const HIDDEN: &str = "[redacted]";

/// Hides URL passwords, secret query parameters, `Bearer …`/`Basic …` credentials, `token: …`, `sk-…` keys, 32 bytes
/// in hex or base64, and private keys in PEM.
///
/// For text that a program shows and has not written itself, such as the message of a library's error. A [`Redactor`] is for
/// documents that leave the machine: it hides more, tells kinds apart and counts.
///
/// ```
/// let shown = obs_doctor::redact("GET http://ann:hunter2@192.0.2.7/?token=abc failed");
/// assert!(shown.contains("192.0.2.7") && !shown.contains("hunter2") && !shown.contains("abc"));
/// ```
#[must_use]
pub fn redact(text: &str) -> String {
    replaced(text, &findings(text.as_bytes(), &Rules::default()), |_| HIDDEN)
}

/// Returns whether the value of something called `name` is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    names::kind_of(name.as_bytes()).is_some()
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
