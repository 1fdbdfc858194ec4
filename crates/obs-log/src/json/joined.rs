//! Fields of a record followed by further ones.

use log::kv::{Error, Source, VisitSource};

/// Source of the fields of `first`, then those of `then`.
pub(crate) struct Joined<'a> {
    pub(crate) first: &'a dyn Source,
    pub(crate) then: &'a dyn Source,
}

impl Source for Joined<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.first.visit(visitor)?;
        self.then.visit(visitor)
    }
}
