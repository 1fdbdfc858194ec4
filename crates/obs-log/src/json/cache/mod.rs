//! Encoded texts that a thread copies into line after line: keys and logger names.
//!
//! A text in the program's code is `'static` and is recognised by its address. Any other text is compared, or encoded again,
//! because another one may lie at its address later. A text has one slot. A second name of that slot displaces it; of keys, which
//! a line has several of, the older one moves to the slot beside it.

pub(crate) mod keys;
pub(crate) mod names;

/// Number of slots of a cache.
const SLOTS: usize = 64;

/// Address and length of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) start: usize,
    pub(crate) length: usize,
}

impl Address {
    #[inline]
    pub(crate) fn of(text: &str) -> Address {
        Address { start: text.as_ptr().addr(), length: text.len() }
    }
}
