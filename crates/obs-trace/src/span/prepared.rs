//! Fields of a span that has not begun.

use crate::Value;

/// Fields of a span that has not begun. The first three need no allocation of their own.
#[derive(Debug, Default)]
pub(super) struct Fields {
    first: [Option<Field>; 3],
    more: Vec<Field>,
}

pub(super) type Field = (&'static str, Value);

impl Fields {
    pub(super) fn push(&mut self, field: Field) {
        match self.first.iter_mut().find(|free| free.is_none()) {
            Some(free) => *free = Some(field),
            None => self.more.push(field),
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Field> {
        self.first.into_iter().flatten().chain(self.more)
    }
}
