//! Places of secrets in a text.

use super::kind::SecretKind;

/// Secret from `start` to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: SecretKind,
}

impl Finding {
    pub(super) fn new(start: usize, end: usize, kind: SecretKind) -> Finding {
        Finding { start, end, kind }
    }
}

/// Sorts the findings, and joins those that overlap. The kind is that of the longest one, or of the
/// more serious of two.
pub(super) fn joined(mut found: Vec<Finding>) -> Vec<Finding> {
    found.retain(|finding| finding.start < finding.end);
    found.sort_by_key(|finding| (finding.start, finding.end));
    let mut joined: Vec<Finding> = Vec::with_capacity(found.len());
    let mut longest = 0;
    for finding in found {
        let length = finding.end - finding.start;
        match joined.last_mut() {
            Some(last) if finding.start < last.end => {
                last.end = last.end.max(finding.end);
                if length > longest || length == longest && finding.kind < last.kind {
                    (last.kind, longest) = (finding.kind, length);
                }
            }
            _ => {
                joined.push(finding);
                longest = length;
            }
        }
    }
    joined
}

/// Returns the place of `wanted` in `text`.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Returns whether the byte ends a word. A secret may stand in quotes, in JSON or in a shell command.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_findings_become_one() {
        let of = |start, end, kind| Finding::new(start, end, kind);
        let found = vec![
            of(9, 12, SecretKind::Email),
            of(0, 2, SecretKind::Key),
            of(1, 8, SecretKind::Token),
            of(8, 9, SecretKind::Home),
            of(3, 3, SecretKind::Home),
        ];
        let expected =
            [of(0, 8, SecretKind::Token), of(8, 9, SecretKind::Home), of(9, 12, SecretKind::Email)];
        assert_eq!(joined(found), expected);
    }
}
