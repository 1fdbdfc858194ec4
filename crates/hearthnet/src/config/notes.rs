//! Notes on a configuration file besides its values.

use super::mistake::Mistake;
use super::setting::Setting;
use super::variables::Unset;

/// Notes on a file besides its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Sections and keys of later versions, which this one does not read.
    pub(crate) unused: Vec<String>,
    /// Fields that name an environment variable which is not there.
    pub(crate) unset: Vec<Unset>,
}

/// Outcome of the examination of a file.
pub(crate) struct Examination {
    /// Whether there is a file. The default one need not exist.
    pub(crate) exists: bool,
    /// In the order of the file.
    pub(crate) mistakes: Vec<Mistake>,
    /// Values that differ from their defaults, with the lines that set them.
    pub(crate) differing: Vec<(Setting, usize)>,
    pub(crate) unused: Vec<String>,
}
