//! Memory that lines wait in, and the file under it that outlives the process.

pub(crate) mod arena;
pub(crate) mod file;
pub(crate) mod owner;
