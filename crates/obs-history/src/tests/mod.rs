//! Helpers of the unit tests.

pub(crate) mod small_disk;
