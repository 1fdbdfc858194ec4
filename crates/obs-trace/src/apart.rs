//! What several threads change, kept apart from everything else.

use std::ops::Deref;

/// A value in lines of memory of its own: whoever changes it takes nothing but this from another processor.
///
/// Twice the usual line, because processors fetch lines in pairs.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
