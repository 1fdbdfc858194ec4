//! Mapped memory: words that are touched as atomics, and bytes that one chunk owns.
//!
//! Unsafe code is here because a mapping is raw memory. `cargo xtask sanitize` runs its tests with AddressSanitizer, and
//! those of plain memory under Miri. Invariants:
//! - a mapping lives as long as its [`Map`], and its length never changes;
//! - words are only touched as atomics, at offsets that [`Map::view`] checks for bounds and alignment;
//! - the bytes between the words of a chunk are only touched by the one owner of that chunk: see [`Map::write`];
//! - other processes do not write the file, because it has mode 0600 and is locked. If one did, every length that is read
//!   from the file is checked before it is used. Only a process that makes the file shorter would kill this one, as with
//!   any mapped file.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

use crate::journal::file::HandoverFile;

/// Mapping of a file, or of plain memory.
#[derive(Debug)]
pub(super) struct Map(MmapRaw);

/// Types made of atomic words alone.
///
/// # Safety
///
/// Any bytes must be a value of the type, and other threads may store to it through a shared reference.
pub(super) unsafe trait AtomicWords {}

// SAFETY: any eight bytes are an `AtomicU64`.
unsafe impl AtomicWords for AtomicU64 {}

impl Map {
    /// Maps plain memory, all zero.
    pub(super) fn in_memory(length: usize) -> io::Result<Map> {
        Ok(Map(MmapOptions::new().len(length).map_anon()?.into()))
    }

    /// Maps a whole file that is new, and has the operating system leave its pages alone until they are touched. Otherwise
    /// the first touch reads zeros around it, which took up to 47 ms, and may map 2 MiB.
    pub(super) fn of_new_file(file: &HandoverFile) -> io::Result<Map> {
        let map = Map::of_file(file)?;
        #[cfg(unix)]
        let _ = map.0.advise(memmap2::Advice::Random);
        Ok(map)
    }

    /// Maps a whole file.
    pub(super) fn of_file(file: &HandoverFile) -> io::Result<Map> {
        Ok(Map(MmapOptions::new().map_raw(file.as_file())?))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Has the operating system provide the first `bytes` now, which writes those of a file to the disk once. Otherwise the
    /// first touch of each page costs its caller as much as ten lines. Does nothing where the system has no such call.
    pub(super) fn provide(&self, bytes: usize) {
        #[cfg(target_os = "linux")]
        let _ = self.0.advise_range(memmap2::Advice::PopulateWrite, 0, self.len().min(bytes));
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
    }

    /// Returns the words at this offset.
    #[inline]
    pub(super) fn view<T: AtomicWords>(&self, at: usize) -> &T {
        let end = at.checked_add(size_of::<T>());
        // Checked in release builds too, because offsets come from the file of another process.
        assert!(at.is_multiple_of(align_of::<T>()) && end.is_some_and(|end| end <= self.len()));
        // SAFETY: inside of the mapping, which lives as long as the borrow of the map; aligned, because the mapping begins
        // at a page; and all bytes are a value of `T`. Offsets of words are touched in no other way.
        unsafe { &*self.0.as_mut_ptr().add(at).cast::<T>() }
    }

    /// Copies `bytes` to this offset.
    ///
    /// # Safety
    ///
    /// The bytes must be those of a chunk that the caller has borrowed mutably, and no words may be among them.
    #[inline]
    pub(super) unsafe fn write(&self, at: usize, bytes: &[u8]) {
        let end = at.checked_add(bytes.len());
        debug_assert!(end.is_some_and(|end| end <= self.len()));
        // SAFETY: inside of the mapping, and nobody else touches the bytes of a chunk that is borrowed mutably.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_mut_ptr().add(at), bytes.len()) };
    }

    /// Returns the bytes in this range.
    ///
    /// # Safety
    ///
    /// The bytes must be those of a chunk that the caller has borrowed for as long as the result, and no words may be among
    /// them.
    #[inline]
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        debug_assert!(range.end <= self.len());
        // SAFETY: inside of the mapping, and nobody writes the bytes of a chunk that is borrowed.
        unsafe { slice::from_raw_parts(self.0.as_mut_ptr().add(range.start), range.len()) }
    }
}
