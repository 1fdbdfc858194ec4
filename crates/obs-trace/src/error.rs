//! What can be wrong with a configuration.

use std::fmt;

/// Why a [`Config`](crate::Config) was refused.
///
/// ```
/// use obs_trace::Config;
///
/// let error = obs_trace::configure(&Config::default().ring_capacity(0)).unwrap_err();
/// assert_eq!(error.field(), "ring_capacity");
/// assert_eq!(error.to_string(), "ring_capacity = 0: a number from 1 to 1000000 is needed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub(crate) field: &'static str,
    pub(crate) value: usize,
    pub(crate) least: usize,
    pub(crate) most: usize,
}

impl Error {
    /// The setter of [`Config`](crate::Config) whose value was refused.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { field, value, least, most } = self;
        write!(f, "{field} = {value}: a number from {least} to {most} is needed")
    }
}

impl std::error::Error for Error {}
