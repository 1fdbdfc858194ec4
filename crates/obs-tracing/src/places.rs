//! Places in the source of the callsites that the bridge has been asked about.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use tracing_core::Metadata;

/// Maximum number of callsites. A large program has some thousand. More than these are made at run time, and are not known.
const MAX_CALLSITES: usize = 65_536;

/// Place of a callsite: address of its file's name, and the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    file: usize,
    line: u32,
}

/// Known places, with the name of the span that begins there. The lock is held for one look or one insertion.
static PLACES: LazyLock<RwLock<HashMap<Place, Option<&'static str>>>> = LazyLock::new(RwLock::default);

impl Place {
    /// Returns the place of a callsite or record. The name of a file is a constant, so that its address tells it from others,
    /// and a record that `tracing` makes of an event has the same address.
    pub(crate) fn of(file: Option<&str>, line: Option<u32>) -> Option<Place> {
        Some(Place { file: file?.as_ptr().addr(), line: line? })
    }

    /// Returns the place whose file has its name at this address.
    pub(crate) fn of_address(file: Option<usize>, line: Option<u32>) -> Option<Place> {
        Some(Place { file: file?, line: line? })
    }

    /// Whether the bridge has been asked about a callsite in this place.
    pub(crate) fn is_known(self) -> bool {
        PLACES.read().unwrap_or_else(PoisonError::into_inner).contains_key(&self)
    }

    /// Returns the name of the span that begins in this place. `#[instrument]` has span and events in one.
    pub(crate) fn span(self) -> Option<&'static str> {
        *PLACES.read().unwrap_or_else(PoisonError::into_inner).get(&self)?
    }
}

/// Remembers a callsite.
pub(crate) fn note(metadata: &'static Metadata<'static>) {
    let Some(place) = Place::of(metadata.file(), metadata.line()) else { return };
    // Callsites ask again after each change of levels, so most are known.
    let is_new_span = metadata.is_span() && place.span().is_none();
    if place.is_known() && !is_new_span {
        return;
    }
    let mut places = PLACES.write().unwrap_or_else(PoisonError::into_inner);
    if places.len() < MAX_CALLSITES || places.contains_key(&place) {
        let span = places.entry(place).or_default();
        *span = span.or(metadata.is_span().then(|| metadata.name()));
    }
}
