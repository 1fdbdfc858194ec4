//! One look at a text: all kinds of secrets, in the text as it is and in what its escapes mean.

use super::finding::{Finding, joined};
use super::kind::SecretKind;
use super::known::Known;
use super::view::View;
use super::{pairs, personal, tokens, urls};

/// Maximum number of times that escapes are decoded: JSON in a query string of a JSON text.
const LAYERS: usize = 4;
/// Length of the shortest text that is looked at.
const MIN_BYTES: usize = 5;

/// Kinds of text that are hidden beside passwords, tokens and keys.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules<'a> {
    /// For a report: what names a person, and texts that only look like a secret.
    pub(super) report: Option<Report<'a>>,
}

#[derive(Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) home: Option<&'a [u8]>,
    pub(super) private_addresses: bool,
    pub(super) known: &'a Known,
}

/// Returns the places of secrets in order. They do not overlap.
pub(super) fn findings(text: &[u8], rules: &Rules<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if text.len() < MIN_BYTES {
        return found;
    }
    look(text, rules, &mut found);
    let mut view = View::decoded(text);
    for _ in 0..LAYERS {
        let Some(decoded) = view else { break };
        let mut inner = Vec::new();
        look(&decoded.bytes, rules, &mut inner);
        let placed = inner
            .into_iter()
            .map(|inner| Finding::new(decoded.place(inner.start), decoded.place(inner.end), inner.kind));
        found.extend(placed);
        view = decoded.again();
    }
    if found.len() > 1 { joined(found) } else { found }
}

fn look(text: &[u8], rules: &Rules<'_>, found: &mut Vec<Finding>) {
    let mut encoded = |inner: &[u8]| {
        let mut found = Vec::new();
        look_plain(inner, rules, &mut found);
        found.iter().map(|finding| finding.kind).min()
    };
    tokens::keys(text, rules.report.is_some(), &mut encoded, found);
    look_plain(text, rules, found);
}

/// Looks for all but the bytes of keys, which may hold a text.
fn look_plain(text: &[u8], rules: &Rules<'_>, found: &mut Vec<Finding>) {
    tokens::tokens(text, found);
    tokens::pem(text, found);
    urls::userinfo(text, found);
    pairs::named(text, found);
    pairs::schemes(text, found);
    let Some(report) = rules.report else { return };
    report.known.find(text, found);
    let mut emails = Vec::new();
    personal::emails(text, &mut emails);
    // `password@host` of a URL looks like an address. The host stays.
    let passwords = || found.iter().filter(|finding| finding.kind == SecretKind::Password);
    emails.retain(|email: &Finding| {
        !passwords().any(|password| password.start < email.end && email.start < password.end)
    });
    found.append(&mut emails);
    personal::homes(text, report.home, found);
    if report.private_addresses {
        personal::private_addresses(text, found);
    }
}

/// Returns `text` with a mark in the place of each finding.
pub(super) fn replaced(
    text: &str,
    findings: &[Finding],
    mut mark: impl FnMut(SecretKind) -> &'static str,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for finding in findings {
        let start = text.floor_char_boundary(finding.start).max(done);
        out.push_str(&text[done..start]);
        out.push_str(mark(finding.kind));
        done = text.ceil_char_boundary(finding.end).max(start);
    }
    out.push_str(&text[done..]);
    out
}
