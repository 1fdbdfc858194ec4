//! Secrets that are known: the keys of this device, and the values of variables with secrets.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::finding::{Finding, find};
use super::kind::SecretKind;

/// Length of the part by which a key is found. The rest may be cut off.
const PART: usize = 16;
/// Length of the shortest text that is searched for.
const MIN_TEXT: usize = 6;

/// Forms of known secrets.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// All parts of the keys in all their forms.
    parts: HashSet<[u8; PART]>,
    texts: Vec<Vec<u8>>,
}

impl Known {
    /// Adds a secret. Text is found as it is, and each secret in hex and in base64, alone or within other bytes.
    pub(super) fn add(&mut self, secret: &[u8]) {
        if let Ok(text) = std::str::from_utf8(secret)
            && text.len() >= MIN_TEXT
        {
            self.texts.push(text.as_bytes().to_vec());
        }
        if secret.len() < PART {
            return;
        }
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add_parts(hex.as_bytes());
        self.add_parts(hex.to_ascii_uppercase().as_bytes());
        // Base64 depends on the number of bytes before. The characters at both ends have bits of others.
        for before in 0..3 {
            let bytes = [&vec![0; before][..], secret].concat();
            let start = (before * 8).div_ceil(6);
            let whole = bytes.len() * 8 / 6;
            for encoded in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)] {
                self.add_parts(&encoded.as_bytes()[start..whole]);
            }
        }
    }

    fn add_parts(&mut self, form: &[u8]) {
        self.parts.extend(form.windows(PART).filter_map(|part| <[u8; PART]>::try_from(part).ok()));
    }

    pub(super) fn find(&self, text: &[u8], found: &mut Vec<Finding>) {
        for secret in &self.texts {
            let mut from = 0;
            while let Some(at) = find(&text[from..], secret).map(|at| from + at) {
                from = at + secret.len();
                found.push(Finding::new(at, from, SecretKind::Key));
            }
        }
        if self.parts.is_empty() {
            return;
        }
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        let mut at = 0;
        while at < text.len() {
            let length = text[at..].iter().take_while(|byte| is_part(byte)).count();
            let run = &text[at..at + length];
            let has = |part: &[u8]| <[u8; PART]>::try_from(part).is_ok_and(|part| self.parts.contains(&part));
            if length >= PART && run.windows(PART).any(has) {
                found.push(Finding::new(at, at + length, SecretKind::Key));
            }
            at += length.max(1);
        }
    }
}
