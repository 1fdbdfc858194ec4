//! Mistake in a configuration file.

use std::fmt;
use std::path::Path;

use crate::failure::Failure;

/// Maximum length of a part of the file that a message repeats.
const SHOWN_CHARS: usize = 60;

/// Mistake at a place of the file. It displays as `line:column: field: problem; advice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Both numbers count from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Path of the key, as in `llm.backends[0].url`. Empty if no key is at fault.
    pub(crate) field: String,
    pub(crate) problem: String,
    pub(crate) advice: String,
}

impl Mistake {
    /// Creates the mistake at the byte `offset` of `text`.
    pub(super) fn at(
        (text, offset): (&str, usize),
        field: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Mistake {
        let (line, column) = position(text, offset);
        Mistake { line, column, field: field.into(), problem: problem.into(), advice: advice.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

/// Returns the failure of a command for the first mistake. It counts the others.
pub(super) fn failure(file: &Path, mistakes: &[Mistake]) -> Failure {
    let first = mistakes.first().map(|mistake| format!("{}:{mistake}", file.display())).unwrap_or_default();
    match mistakes.len() {
        ..=1 => Failure::error(first),
        all => Failure::error(format!("{first} (and {} more; `hearthnet config check` lists all)", all - 1)),
    }
}

/// Returns line and column of the byte at `offset`. Both count from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    // An offset inside a character cannot be sliced.
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Returns the beginning of a part of the file.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
