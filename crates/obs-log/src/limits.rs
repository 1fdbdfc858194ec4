//! Bounds that several rooms share.

/// Maximum length of a line in bytes, its newline included. A longer line has its longest values cut until it fits.
pub const MAX_LINE_BYTES: usize = 128 << 10;

/// Largest magnitude up to which an integer is a JSON number. Readers that hold numbers as doubles round larger ones, so
/// those are written as strings.
pub(crate) const MAX_EXACT_INTEGER: u64 = 1 << 53;

/// Approximate size of a chunk in bytes: large enough for large writes, small enough for a processor's cache.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// Maximum number of chunks in an arena, because the hand-over file names a chunk in 16 bits.
pub(crate) const MAX_CHUNKS: u64 = 1 << 16;

/// Smallest queue in bytes.
pub(crate) const MIN_QUEUE_BYTES: usize = 1 << 20;

/// Largest queue in bytes: as many chunks of the usual size as an arena may have.
pub(crate) const MAX_QUEUE_BYTES: u64 = MAX_CHUNKS * CHUNK_BYTES as u64;

/// Smallest limit on the size of a day file in bytes. A line is at most an eighth of it.
pub(crate) const MIN_FILE_BYTES: u64 = 1 << 20;
