//! Redaction of documents that leave the machine.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::finding::find;
use super::json;
use super::kind::SecretKind;
use super::known::Known;
use super::scan::{Report, Rules, findings, replaced};

/// Maximum number of texts after the beginning of a PEM block that may be its lines.
const MAX_PEM_LINES: u32 = 256;

/// Redaction of a report: hides what [`redact`](crate::redact) hides, what only looks like a secret, e-mail addresses and home
/// folders. Each secret leaves a mark with its kind, such as `[token]`, and is counted.
///
/// Secrets are found in plain text, behind names, and in percent signs, escapes, hex and base64. A private key in PEM may be
/// spread over the texts of several calls. IDs of nodes (`ed25519:…`) and traces stay.
///
/// ```
/// use obs_doctor::{Redactor, SecretKind};
///
/// let mut redactor = Redactor::new();
/// assert_eq!(redactor.text("GITHUB=ghp_0123456789abcdefABCD of ann@example.org"), "GITHUB=[token] of [email]");
/// assert_eq!(redactor.json(r#"{"password":"hunter2","n":1}"#), r#"{"password":"[password]","n":1}"#);
/// assert_eq!(redactor.count(SecretKind::Password), 1);
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    home: Option<Vec<u8>>,
    private_addresses: bool,
    known: Known,
    counts: [u64; SecretKind::COUNT],
    /// Number of further texts that may belong to a private key in PEM.
    pem: u32,
}

impl Redactor {
    /// Creates a redaction. Addresses of private networks stay.
    #[must_use]
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// Sets the home folder of the user, which becomes `~`. Those in `/home` do so without.
    #[must_use]
    pub fn home(mut self, home: &Path) -> Redactor {
        let home = home.as_os_str().as_encoded_bytes();
        let home = home.strip_suffix(b"/").unwrap_or(home);
        self.home = (home.len() > 1 && home.starts_with(b"/")).then(|| home.to_vec());
        self
    }

    /// Sets whether addresses of private networks are hidden.
    #[must_use]
    pub fn private_addresses(mut self, are_hidden: bool) -> Redactor {
        self.private_addresses = are_hidden;
        self
    }

    /// Adds a secret that is known, such as the bytes of a key. It is found in hex and in base64 too. Texts of less than 6
    /// bytes and other bytes of less than 16 are ignored.
    #[must_use]
    pub fn secret(mut self, secret: &[u8]) -> Redactor {
        self.known.add(secret);
        self
    }

    /// Returns the text without secrets.
    #[must_use]
    pub fn text(&mut self, text: &str) -> String {
        self.shown(text).into_owned()
    }

    /// Returns the JSON text without secrets. Values with the name of a secret are replaced whole. Text that is not JSON is
    /// treated as [`text`](Redactor::text).
    #[must_use]
    pub fn json(&mut self, text: &str) -> String {
        json::rewritten(self, text).unwrap_or_else(|| self.text(text))
    }

    /// Returns the number of secrets of this kind that were hidden.
    #[must_use]
    pub fn count(&self, kind: SecretKind) -> u64 {
        self.counts[kind as usize]
    }

    pub(super) fn shown<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if self.is_pem_line(text) {
            return Cow::Borrowed(self.mark(SecretKind::Key));
        }
        let report = Report {
            home: self.home.as_deref(),
            private_addresses: self.private_addresses,
            known: &self.known,
        };
        let found = findings(text.as_bytes(), &Rules { report: Some(report) });
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        if found.iter().any(|finding| finding.kind == SecretKind::Key) {
            self.watch_pem(text.as_bytes());
        }
        Cow::Owned(replaced(text, &found, |kind| self.mark(kind)))
    }

    /// Counts a secret, and returns its mark.
    pub(super) fn mark(&mut self, kind: SecretKind) -> &'static str {
        self.counts[kind as usize] += 1;
        kind.mark()
    }

    /// Notes whether a private key begins and does not end in this text.
    fn watch_pem(&mut self, text: &[u8]) {
        if find(text, b"PRIVATE KEY").is_some() {
            let is_open = find(text, b"-----BEGIN ").is_some() && find(text, b"-----END ").is_none();
            self.pem = if is_open { MAX_PEM_LINES } else { 0 };
        }
    }

    /// Returns whether the text is a line of a private key that has begun.
    fn is_pem_line(&mut self, text: &str) -> bool {
        if self.pem == 0 {
            return false;
        }
        self.pem -= 1;
        let text = text.trim();
        let is_base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte));
        let has = |kind: fn(&u8) -> bool| text.as_bytes().iter().any(kind);
        let looks_so = text.len() >= 12 && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        is_base64 && (looks_so || text.len() >= 4 && text.ends_with('='))
    }
}

/// Shows no secret.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = SecretKind::ALL.iter().map(|kind| (kind.as_str(), self.count(*kind)));
        f.debug_map().entries(counts).entry(&"known", &"[hidden]").finish()
    }
}
