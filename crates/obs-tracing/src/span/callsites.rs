//! Facts about callsites that spare their spans a look-up.

use std::sync::atomic::{AtomicUsize, Ordering};

use tracing_core::Metadata;

/// Callsites whose spans take their parent from the context.
///
/// A callsite either names the parent of its spans or does not. The bridge learns which when its first span begins. From
/// then on, a span that takes its parent from the context costs no more than a check where no trace is current.
pub(super) static CONTEXTUAL: Callsites = Callsites::new();

/// Callsites that the levels of the log let through. `tracing` asks about all of them again when the levels change.
pub(super) static ALLOWED: Callsites = Callsites::new();

/// Number of places. Callsites that share a place displace each other, which costs their spans the short cut. The table
/// takes 8 KiB.
const PLACES: usize = 1_024;

/// Set of callsites that forgets some of them.
// Relaxed everywhere: an address is complete in itself and leads to no other memory.
pub(super) struct Callsites([AtomicUsize; PLACES]);

impl Callsites {
    const fn new() -> Callsites {
        Callsites([const { AtomicUsize::new(0) }; PLACES])
    }

    #[inline]
    pub(super) fn contains(&self, metadata: &Metadata<'_>) -> bool {
        let address = address_of(metadata);
        self.place(address).load(Ordering::Relaxed) == address
    }

    #[inline]
    pub(super) fn insert(&self, metadata: &'static Metadata<'static>) {
        let address = address_of(metadata);
        let place = self.place(address);
        // Read first, so that a known callsite writes no shared memory.
        if place.load(Ordering::Relaxed) != address {
            place.store(address, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, metadata: &'static Metadata<'static>) {
        let address = address_of(metadata);
        // Another callsite in the place stays.
        _ = self.place(address).compare_exchange(address, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    #[inline]
    fn place(&self, address: usize) -> &AtomicUsize {
        // The size of a metadata is a multiple of eight, so the low bits say nothing.
        &self.0[(address >> 3 ^ address >> 13) % PLACES]
    }
}

#[inline]
fn address_of(metadata: &Metadata<'_>) -> usize {
    std::ptr::from_ref(metadata).addr()
}
