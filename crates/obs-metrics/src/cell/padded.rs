//! A value on cache lines of its own, so that who writes it slows down nobody that reads its neighbours.

use std::ops::Deref;

#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
