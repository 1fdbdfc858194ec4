//! Identity of the place that a line comes from. It is known before the fields are visited.
//!
//! A thread knows a place by the addresses of its name and of its message or file, by the number of its line and by its
//! level. All texts are `'static`, so an address tells a text. Two places with one identity differ in their keys, or their
//! lines are alike.

use log::{Level, Record};

use crate::json::cache::Address;
use crate::json::cache::names::NO_ADDRESS;

/// Number of bits of [`Identity::place`] before the number of the line.
const FLAG_BITS: u32 = 4;

/// Bit of a place whose lines have messages of their own.
const OWN_MESSAGE: u64 = 1 << 3;

/// Identity of a place under a routing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity {
    name: Address,
    /// Message or, if it is another one in each line, name of the file.
    text: Address,
    /// Line in its file, [`OWN_MESSAGE`], and level.
    place: u64,
    /// Number of the routing, which decides on the level and on hidden names.
    routing: u64,
}

impl Identity {
    /// Returns the identity of the place of a record. `None` for one without a file and with a message that is not known at
    /// compile time.
    #[inline]
    pub(crate) fn of(name: Address, record: &Record<'_>, routing: u64) -> Option<Identity> {
        let (text, own_message) = match record.args().as_str() {
            Some(message) => (message, 0),
            None => (record.file_static()?, OWN_MESSAGE),
        };
        let place = u64::from(record.line().unwrap_or(0)) << FLAG_BITS | own_message | record.level() as u64;
        Some(Identity { name, text: Address::of(text), place, routing })
    }

    /// Returns the identity of a place that this text stands for, and whose lines have messages of their own.
    #[inline]
    pub(crate) fn of_text(name: Address, text: &'static str, level: Level, routing: u64) -> Identity {
        Identity { name, text: Address::of(text), place: OWN_MESSAGE | level as u64, routing }
    }

    /// Whether each line of the place has a message of its own.
    #[inline]
    pub(super) fn has_own_message(&self) -> bool {
        self.place & OWN_MESSAGE != 0
    }

    /// Whether the name of the logger is part of the program's code.
    pub(super) fn has_static_name(&self) -> bool {
        self.name.length != NO_ADDRESS
    }

    #[inline]
    pub(super) fn is_of_routing(&self, of: &Identity) -> bool {
        self.routing == of.routing
    }

    /// Returns a number that few other places have.
    #[inline]
    pub(super) fn hash(&self) -> usize {
        let text = self.text.start;
        text >> 2 ^ text >> 9 ^ self.name.start ^ (self.place >> FLAG_BITS) as usize
    }
}

impl PartialEq for Identity {
    /// Without a branch for each part.
    #[inline]
    fn eq(&self, other: &Identity) -> bool {
        let parts = |of: &Identity| {
            [of.name.start, of.name.length, of.text.start, of.text.length].map(|part| part as u64)
        };
        let (ours, theirs) = (parts(self), parts(other));
        let differs =
            (ours[0] ^ theirs[0]) | (ours[1] ^ theirs[1]) | (ours[2] ^ theirs[2]) | (ours[3] ^ theirs[3]);
        differs | (self.place ^ other.place) | (self.routing ^ other.routing) == 0
    }
}
