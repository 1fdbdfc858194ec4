//! The event that every contender logs.

use std::hint::black_box;

/// A routed call: two strings, a number and a Boolean.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) capability: &'static str,
    pub(super) to: &'static str,
    pub(super) ms: u64,
    pub(super) ok: bool,
}

/// Returns events to log in turn. Their content is opaque to the compiler.
pub(super) fn events() -> [Event; 64] {
    let event = |at: usize| Event {
        capability: ["llm.chat", "rag.query", "node.status", "blob.get"][at % 4],
        to: ["7H4GQ2KD", "M3XT90ZA", "Q8WERT5P"][at % 3],
        ms: 100 + at as u64 * 13,
        ok: at % 8 != 7,
    };
    black_box(std::array::from_fn(event))
}
