//! IDs of spans.

use std::num::NonZeroU64;

use tracing_core::span::Id;

/// Number of a slot and its generation. A slot begins a new generation when its span ends, so that an ID that is used after
/// the end reaches no other span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// ID of all spans that are not recorded.
const NOTHING: NonZeroU64 = NonZeroU64::MAX;

pub(super) fn nothing() -> Id {
    Id::from_non_zero_u64(NOTHING)
}

#[inline]
pub(super) fn is_nothing(id: &Id) -> bool {
    id.into_non_zero_u64() == NOTHING
}

impl Key {
    /// Returns the key of an ID. `None` for the ID of spans that are not recorded.
    #[inline]
    pub(super) fn of(id: &Id) -> Option<Key> {
        let number = id.into_u64();
        // The low half is one more than the slot, so that no ID is zero.
        let slot = (number as u32).checked_sub(1)?;
        (!is_nothing(id)).then_some(Key { slot, generation: (number >> 32) as u32 })
    }

    #[inline]
    pub(super) fn id(self) -> Id {
        let number = (u64::from(self.generation) << 32) | (u64::from(self.slot) + 1);
        NonZeroU64::new(number).map_or_else(nothing, Id::from_non_zero_u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_id() {
        for slot in [0, 1, 8_191] {
            for generation in [0, 1, u32::MAX] {
                let key = Key { slot, generation };
                assert_eq!(Key::of(&key.id()), Some(key));
            }
        }
        assert_eq!(Key::of(&nothing()), None);
        assert_eq!(Key::of(&Id::from_u64(1 << 32)), None, "no key has this ID");
    }
}
