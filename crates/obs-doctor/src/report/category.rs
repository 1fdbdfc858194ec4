//! Headings of the report.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Heading of the report.
///
/// ```
/// use obs_doctor::Category;
/// assert_eq!(Category::new("Stores").as_str(), "Stores");
/// assert_eq!(Category::IDENTITY.as_str(), "Identity");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Category(pub(super) Cow<'static, str>);

impl Category {
    /// Keys, community, event log.
    pub const IDENTITY: Self = Self::new("Identity");
    /// Sockets and ports.
    pub const NETWORK: Self = Self::new("Network");
    /// The running node.
    pub const NODE: Self = Self::new("Node");
    /// Disk and clock.
    pub const MACHINE: Self = Self::new("Machine");
    /// Services that the node uses, such as language models.
    pub const SERVICES: Self = Self::new("Services");
    /// Log, export of traces, last stop.
    pub const OBSERVABILITY: Self = Self::new("Observability");
    /// Checks without a category.
    pub const OTHER: Self = Self::new("Other");

    /// Creates a heading.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Returns the text of the heading.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
