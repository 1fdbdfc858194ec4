//! Selection by `--status`.

use std::str::FromStr;

use crate::nearest::nearest;
use crate::wire::error::Code;

/// Statuses that are no error codes.
const WORDS: [&str; 4] = ["ok", "failed", "cancelled", "panic"];
/// Maximum length of an error code.
const MAX_CODE_CHARS: usize = 40;

/// Status of the traces to show. A code of a later version is well-formed and not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusFilter(String);

impl StatusFilter {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this version knows the status.
    pub(super) fn is_known(&self) -> bool {
        known().any(|known| known == self.0)
    }

    /// Returns the mistake of an unknown status that no trace has.
    pub(super) fn unknown(&self) -> String {
        let meant = nearest(&self.0, known()).map(|name| format!("; did you mean `{name}`?"));
        format!(
            "--status: no trace has the status `{}`, and this version does not know it{}; {}",
            self.0,
            meant.unwrap_or_default(),
            allowed()
        )
    }
}

impl FromStr for StatusFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<StatusFilter, String> {
        let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        match (1..=MAX_CODE_CHARS).contains(&text.len()) && text.bytes().all(is_code) {
            true => Ok(StatusFilter(text.to_owned())),
            false => Err(allowed()),
        }
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().chain(Code::defined())
}

fn allowed() -> String {
    format!("allowed: {}", known().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_word_or_a_code() {
        for known in ["ok", "failed", "cancelled", "panic", "partition", "rate_limited"] {
            assert!(known.parse::<StatusFilter>().unwrap().is_known(), "{known}");
        }
        let later: StatusFilter = "timout".parse().unwrap();
        assert!(!later.is_known());
        let message = later.unknown();
        assert!(
            message.contains("did you mean `timeout`") && message.contains("allowed: ok, failed"),
            "{message}"
        );
        for bad in ["", "Time Out", "a\u{1b}", &"a".repeat(41)] {
            assert!(bad.parse::<StatusFilter>().unwrap_err().contains("partition"), "{bad:?}");
        }
    }
}
