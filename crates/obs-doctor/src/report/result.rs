//! Result of one check.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::category::Category;
use super::status::{SkipReason, Status};
use crate::text::{HIDDEN, clean, is_secret_name};

// Maximum lengths in characters, and number of evidence keys. They keep a report readable, and a hostile peer's text from
// filling the terminal.
const MAX_TEXT_CHARS: usize = 600;
const MAX_NAME_CHARS: usize = 64;
const MAX_EVIDENCE: usize = 32;

/// Result of one check.
///
/// A check creates it with [`pass`](Self::pass), [`warn`](Self::warn), [`fail`](Self::fail), [`skip`](Self::skip) or
/// [`error`](Self::error). The doctor adds name, category and duration, and hides secrets and escapes control characters in
/// every text.
///
/// ```
/// use obs_doctor::{CheckResult, Status};
/// let result = CheckResult::fail("index is 3 days old").fix("run `hearthnet rag reindex`").evidence("age_days", 3);
/// assert_eq!(result.status, Status::Fail);
/// assert!(!result.ok);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// Name that the check is registered under.
    pub name: String,
    /// Heading of the report that it is listed under.
    pub category: Category,
    /// Verdict.
    pub status: Status,
    /// Whether the verdict is pass, warn or skip. In a report it always agrees with [`status`](Self::status).
    pub ok: bool,
    /// Observation, in one line.
    pub detail: String,
    /// Remedy.
    pub fix: Option<String>,
    /// Further observations, for `-v` and for scripts.
    #[serde(with = "evidence_map")]
    pub evidence: Vec<(String, String)>,
    /// Reason for the skip, if it was skipped.
    pub skip_reason: Option<SkipReason>,
    /// Name of the failed check that caused the skip.
    pub caused_by: Option<String>,
    /// Duration, in milliseconds in the JSON form.
    #[serde(rename = "duration_ms", with = "duration_ms")]
    pub duration: Duration,
}

impl CheckResult {
    /// Creates a pass: the check found no fault.
    #[must_use]
    pub fn pass(detail: impl Into<String>) -> Self {
        Self::new(Status::Pass, detail.into())
    }

    /// Creates a warning: it works and needs attention.
    #[must_use]
    pub fn warn(detail: impl Into<String>) -> Self {
        Self::new(Status::Warn, detail.into())
    }

    /// Creates a failure: it does not work. Add the remedy with [`fix`](Self::fix).
    #[must_use]
    pub fn fail(detail: impl Into<String>) -> Self {
        Self::new(Status::Fail, detail.into())
    }

    /// Creates a skip: it could not be checked, which is not a fault.
    #[must_use]
    pub fn skip(reason: SkipReason, detail: impl Into<String>) -> Self {
        Self { skip_reason: Some(reason), ..Self::new(Status::Skip, detail.into()) }
    }

    /// Creates an error: the check itself did not work.
    #[must_use]
    pub fn error(detail: impl Into<String>) -> Self {
        Self::new(Status::Error, detail.into())
    }

    /// Sets the remedy.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds an observation. A later value of the same key replaces an earlier one. 32 keys are kept.
    #[must_use]
    pub fn evidence(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        let (key, value) = (key.into(), value.to_string());
        self.evidence.retain(|(known, _)| *known != key);
        self.evidence.push((key, value));
        self
    }

    fn new(status: Status, detail: String) -> Self {
        Self {
            name: String::new(),
            category: Category::OTHER,
            status,
            ok: status.is_ok(),
            detail,
            fix: None,
            evidence: Vec::new(),
            skip_reason: None,
            caused_by: None,
            duration: Duration::ZERO,
        }
    }

    /// Sets the failed check that caused this skip.
    pub(crate) fn because_of(mut self, name: &str) -> Self {
        self.caused_by = Some(name.to_owned());
        self
    }

    /// Adds the doctor's part, and makes the texts safe to show.
    pub(crate) fn settle(mut self, name: &str, category: &Category, duration: Duration) -> Self {
        self.name = name.to_owned();
        self.category = Category(clean(category.as_str(), MAX_NAME_CHARS).into());
        self.duration = duration;
        self.ok = self.status.is_ok();
        self.skip_reason = match self.status {
            Status::Skip => self.skip_reason.or(Some(SkipReason::Unsupported)),
            _ => None,
        };
        self.detail = clean(&self.detail, MAX_TEXT_CHARS);
        // Every failure has a remedy, also that of a check whose author left it out.
        let fix = self
            .fix
            .or_else(|| (!self.ok).then(|| format!("ask the author of the check `{name}` for a remedy")));
        self.fix = fix.map(|fix| clean(&fix, MAX_TEXT_CHARS));
        self.evidence.truncate(MAX_EVIDENCE);
        for (key, value) in &mut self.evidence {
            *key = clean(key, MAX_NAME_CHARS);
            *value = if is_secret_name(key) { HIDDEN.to_owned() } else { clean(value, MAX_TEXT_CHARS) };
        }
        self
    }
}

mod duration_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

mod evidence_map {
    use std::fmt;

    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        evidence: &[(String, String)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(evidence.iter().map(|(key, value)| (key, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, String)>, D::Error> {
        deserializer.deserialize_map(Pairs)
    }

    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of strings")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
}
