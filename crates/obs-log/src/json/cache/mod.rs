//! JSON texts that a thread copies into line after line: keys and logger names.

pub(crate) mod keys;
pub(crate) mod names;
