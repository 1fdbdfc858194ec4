//! Plot of some medians of an area, for the page.

use super::{Column, Unit};

/// Bars: a group for each column, a bar for each contender that has a figure in it.
pub(crate) struct Plot {
    /// Name of the file, without its folder and ending.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) columns: Vec<Column>,
}

impl Plot {
    /// Name of the plot's file.
    pub(crate) fn file(&self) -> String {
        format!("{}.svg", self.name)
    }
}
