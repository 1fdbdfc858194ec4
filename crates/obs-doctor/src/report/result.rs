//! What a check found.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::{HIDDEN, clean, is_secret_name};

const MAX_TEXT_CHARS: usize = 600;
const MAX_NAME_CHARS: usize = 64;
const MAX_EVIDENCE: usize = 32;

/// The result of one check (spec §6.1).
///
/// A check makes it with [`pass`](Self::pass), [`warn`](Self::warn), [`fail`](Self::fail), [`skip`](Self::skip) or
/// [`error`](Self::error); the doctor fills in name, category and duration, hides secrets and escapes control
/// characters in every text.
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
    /// The name the check is registered under.
    pub name: String,
    /// The heading it stands under.
    pub category: Category,
    /// The verdict.
    pub status: Status,
    /// `true` for pass, warn and skip; always agrees with [`status`](Self::status) in a report.
    pub ok: bool,
    /// What was seen, in one line.
    pub detail: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// What else was seen, for `-v` and for scripts.
    #[serde(with = "evidence_map")]
    pub evidence: Vec<(String, String)>,
    /// Why it did not run, when it did not.
    pub skip_reason: Option<SkipReason>,
    /// The check that failed and is the reason for this skip.
    pub caused_by: Option<String>,
    /// How long it took; in JSON as milliseconds.
    #[serde(rename = "duration_ms", with = "duration_ms")]
    pub duration: Duration,
}

impl CheckResult {
    /// All is well.
    #[must_use]
    pub fn pass(detail: impl Into<String>) -> Self {
        Self::new(Status::Pass, detail.into())
    }

    /// It works, and somebody should look at it.
    #[must_use]
    pub fn warn(detail: impl Into<String>) -> Self {
        Self::new(Status::Warn, detail.into())
    }

    /// It does not work; say what to do with [`fix`](Self::fix).
    #[must_use]
    pub fn fail(detail: impl Into<String>) -> Self {
        Self::new(Status::Fail, detail.into())
    }

    /// It could not be looked at, and that is no fault.
    #[must_use]
    pub fn skip(reason: SkipReason, detail: impl Into<String>) -> Self {
        Self { skip_reason: Some(reason), ..Self::new(Status::Skip, detail.into()) }
    }

    /// The check itself went wrong.
    #[must_use]
    pub fn error(detail: impl Into<String>) -> Self {
        Self::new(Status::Error, detail.into())
    }

    /// Adds what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds something that was seen; the last value of a key counts, and 32 keys are kept.
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

    pub(crate) fn because_of(mut self, name: &str) -> Self {
        self.caused_by = Some(name.to_owned());
        self
    }

    /// Puts on the doctor's part, and makes the texts fit to be shown (D7).
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
        // Every failure says what to do, also one of a check whose author forgot it.
        let fix = self.fix.or_else(|| (!self.ok).then(|| format!("ask whoever made `{name}` what to do")));
        self.fix = fix.map(|fix| clean(&fix, MAX_TEXT_CHARS));
        self.evidence.truncate(MAX_EVIDENCE);
        for (key, value) in &mut self.evidence {
            *key = clean(key, MAX_NAME_CHARS);
            *value = if is_secret_name(key) { HIDDEN.to_owned() } else { clean(value, MAX_TEXT_CHARS) };
        }
        self
    }
}

/// A verdict.
///
/// ```
/// use obs_doctor::Status;
/// assert!(Status::Warn.is_ok() && Status::Skip.is_ok());
/// assert!(!Status::Error.is_ok());
/// assert_eq!(Status::Fail.as_str(), "fail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Looked at and well.
    Pass,
    /// Works, should be looked at.
    Warn,
    /// Does not work.
    Fail,
    /// Not looked at, with a reason.
    Skip,
    /// The check itself panicked or ran out of time.
    Error,
}

impl Status {
    /// Whether it counts as healthy: pass, warn and skip do.
    #[must_use]
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Pass | Self::Warn | Self::Skip)
    }

    /// As in JSON: `pass`, `warn`, `fail`, `skip`, `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }
}

/// Why a check was skipped.
///
/// ```
/// use obs_doctor::{CheckResult, SkipReason};
/// let result = CheckResult::skip(SkipReason::NotConfigured, "no weather station");
/// assert!(result.ok);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A check it depends on failed; see [`CheckResult::caused_by`].
    Dependency,
    /// It needs the internet and the run is offline.
    Offline,
    /// It needs a running node.
    NoNode,
    /// Nothing of the kind is configured.
    NotConfigured,
    /// It is switched off in the configuration.
    Disabled,
    /// Too little has happened to judge.
    TooFewSamples,
    /// What it compares with could not be reached.
    Unreachable,
    /// It needs root.
    NotRoot,
    /// Left out by request.
    Excluded,
    /// This build or platform cannot look.
    Unsupported,
}

/// A heading of the report.
///
/// ```
/// use obs_doctor::Category;
/// assert_eq!(Category::new("Stores").as_str(), "Stores");
/// assert_eq!(Category::IDENTITY.as_str(), "Identity");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Category(Cow<'static, str>);

impl Category {
    /// Keys, community, event log.
    pub const IDENTITY: Self = Self::new("Identity");
    /// Sockets and ports.
    pub const NETWORK: Self = Self::new("Network");
    /// The running node.
    pub const NODE: Self = Self::new("Node");
    /// Disk and clock.
    pub const MACHINE: Self = Self::new("Machine");
    /// What the node uses, such as language models.
    pub const SERVICES: Self = Self::new("Services");
    /// Checks that name no category.
    pub const OTHER: Self = Self::new("Other");

    /// A heading of your own.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The heading.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
