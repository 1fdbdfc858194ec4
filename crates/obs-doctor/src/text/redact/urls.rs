//! Passwords in URLs.

use super::finding::{Finding, find, is_separator};
use super::kind::SecretKind;

/// Finds the user part in `scheme://user:pass@host` and in a bare `user:pass@host`.
pub(super) fn userinfo(text: &[u8], found: &mut Vec<Finding>) {
    let mut at = 0;
    for word in text.split(|byte| is_separator(*byte)) {
        if let Some((start, end)) = userinfo_of(word) {
            found.push(Finding::new(at + start, at + end, SecretKind::Password));
        }
        at += word.len() + 1;
    }
}

/// Returns the place of the user part in a word.
fn userinfo_of(word: &[u8]) -> Option<(usize, usize)> {
    let scheme = find(word, b"://").map(|at| at + 3);
    let at = word.iter().rposition(|byte| *byte == b'@');
    if scheme.is_none() && at.is_none() {
        return None;
    }
    let start = scheme.unwrap_or(0);
    let rest = &word[start..];
    let authority = &rest[..rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len())];
    let has = |byte| authority.contains(&byte);
    match at.filter(|at| *at >= start) {
        // A password with an unescaped `/`, `?` or `@` is a common mistake. So all text up to the last `@` may belong to it.
        Some(at) => {
            let may_hold_password = match scheme {
                Some(_) => has(b'@') || has(b':') && !is_host_with_port(authority),
                None => has(b':') && !is_public(word),
            };
            may_hold_password.then_some((start, at))
        }
        None => {
            let colon = authority.iter().position(|byte| *byte == b':')?;
            has_odd_port(authority, colon).then_some((start + colon + 1, word.len()))
        }
    }
}

/// Returns whether the word is no user with a password: a node at an address, or a scheme without slashes.
fn is_public(word: &[u8]) -> bool {
    word.starts_with(b"ed25519:") || word.starts_with(b"mailto:")
}

/// Returns whether the authority is `127.0.0.1:80` or alike. An `@` behind it is in the path.
fn is_host_with_port(authority: &[u8]) -> bool {
    let Some(colon) = authority.iter().rposition(|byte| *byte == b':') else { return false };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    let is_host = host.starts_with(b"[") || host == b"localhost" || host.contains(&b'.');
    is_host && (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
}

/// Returns whether the port is not a number: the first part of an address that was cut inside its password.
fn has_odd_port(authority: &[u8], colon: usize) -> bool {
    // Signs of the sentence around the address.
    let port = authority[colon + 1..].trim_ascii_end();
    let end = port.iter().rposition(|byte| !b":,.;)]}!".contains(byte)).map_or(0, |last| last + 1);
    !authority.starts_with(b"[") && !port[..end].iter().all(u8::is_ascii_digit)
}
