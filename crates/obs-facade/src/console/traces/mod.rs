//! Traces of this node, and those that they are part of.

mod detail;
mod list;
mod record;

pub(super) use self::detail::detail;
pub(super) use self::list::list;
