//! Names of a person or a home: e-mail addresses, home folders, private addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::finding::{Finding, find};
use super::kind::SecretKind;

/// Finds e-mail addresses.
pub(super) fn emails(text: &[u8], found: &mut Vec<Finding>) {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte) || *byte >= 0x80;
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte) || *byte >= 0x80;
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        let local = text[..at].iter().rev().take_while(|byte| is_local(byte)).count();
        let domain = &text[at + 1..];
        let domain = &domain[..domain.iter().take_while(|byte| is_domain(byte)).count()];
        let end = domain.iter().rposition(|byte| !b".-".contains(byte)).map_or(0, |last| last + 1);
        let domain = &domain[..end];
        let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { continue };
        let top = &domain[dot + 1..];
        if local > 0 && dot > 0 && top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_alphabetic()) {
            found.push(Finding::new(at - local, at + 1 + end, SecretKind::Email));
        }
    }
}

/// Folders that hold the home folders of a system.
const HOMES: [&[u8]; 4] = [b"/home/", b"/Users/", b"\\Users\\", b"\\\\Users\\\\"];

/// Finds home folders: those of any user in the usual places, and `own`.
pub(super) fn homes(text: &[u8], own: Option<&[u8]>, found: &mut Vec<Finding>) {
    let mut places = |folder: &[u8], has_name: bool| {
        let mut from = 0;
        while let Some(at) = find(&text[from..], folder).map(|at| from + at) {
            from = at + folder.len();
            // `/srv/home/x` of a URL is no home folder, and `C:` and `file://` may stand before one.
            if at > 0 && text[at - 1].is_ascii_alphanumeric() {
                continue;
            }
            let name = text[from..].iter().take_while(|byte| is_name(**byte)).count();
            if has_name && name > 0 {
                found.push(Finding::new(drive(text, at), from + name, SecretKind::Home));
            } else if !has_name && name == 0 {
                found.push(Finding::new(at, from, SecretKind::Home));
            }
        }
    };
    HOMES.iter().for_each(|folder| places(folder, true));
    if let Some(own) = own {
        places(own, false);
    }
}

/// Returns the start of a path with its drive (`C:`) or parent (`/var/home`).
fn drive(text: &[u8], at: usize) -> usize {
    match &text[..at] {
        [.., letter, b':'] if letter.is_ascii_alphabetic() && text[at] == b'\\' => at - 2,
        _ => at,
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+@$".contains(&byte) || byte >= 0x80
}

/// Finds addresses of private networks and of one link. Those of this machine alone tell nothing.
pub(super) fn private_addresses(text: &[u8], found: &mut Vec<Finding>) {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|byte| is_part(byte)).count();
        if length == 0 || at > 0 && text[at - 1].is_ascii_alphanumeric() {
            at += length.max(1);
            continue;
        }
        if let Some(address) = private_address(&text[at..at + length]) {
            found.push(Finding::new(at, at + address, SecretKind::PrivateAddress));
        }
        at += length;
    }
}

/// Returns the length of the private address at the start of `text`. A port may follow.
fn private_address(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.trim_end_matches(['.', ':']);
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        let is_private = address.is_unique_local()
            || address.is_unicast_link_local()
            || address.to_ipv4_mapped().is_some_and(is_private_v4);
        return is_private.then_some(text.len());
    }
    let host = text.split(':').next()?;
    let address = host.parse::<Ipv4Addr>().ok()?;
    is_private_v4(address).then_some(host.len())
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 100.64.0.0/10 is the shared space of carriers, which VPNs of a home use.
    address.is_private() || address.is_link_local() || first == 100 && (64..128).contains(&second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_others() {
        for (text, length) in [
            ("192.168.1.4:7080", Some(11)),
            ("10.0.0.1", Some(8)),
            ("100.100.1.1", Some(11)),
            ("fe80::1", Some(7)),
            ("fd00::1", Some(7)),
            ("127.0.0.1:80", None),
            ("8.8.8.8", None),
            ("::1", None),
            ("10.0", None),
            ("12:30:01", None),
        ] {
            assert_eq!(private_address(text.as_bytes()), length, "{text}");
        }
    }
}
