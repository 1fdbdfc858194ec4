//! Mapping of the file into memory, as words.
//!
//! Unsafe is the view of the mapping as words, and its use as the source of a write. Invariants:
//! - a mapping lives as long as its [`Map`], and its length never changes;
//! - all of it is touched as atomic words alone, so that two threads that store to one place at once leave a damaged record
//!   and nothing worse; the kernel, which writes it to another file, only reads it;
//! - the blocks of the file are allocated before it is mapped, so that a store finds its block when the disk is full. Only a
//!   process that makes the file shorter would kill this one, as with any mapped file. The file has mode 0600.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::slice;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

/// Mapping of a whole file.
#[derive(Debug)]
pub(super) struct Map(MmapRaw);

impl Map {
    /// Maps the first `length` bytes of the file, which must be there. A page becomes part of the process when it is touched.
    pub(super) fn of(file: &File, length: usize) -> io::Result<Map> {
        Ok(Map(MmapOptions::new().len(length).map_raw(file)?))
    }

    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping begins at a page, so its words are aligned; it has this many whole words, which live as long as
        // the borrow of the map; any bytes are an `AtomicU64`, and nothing touches them in another way.
        unsafe { slice::from_raw_parts(self.0.as_ptr().cast::<AtomicU64>(), self.0.len() / size_of::<u64>()) }
    }

    /// Writes bytes of the mapping to the place `to` of a file. There is no copy of them in this process, which would cost the
    /// thread as much as the write.
    pub(super) fn write_to(&self, range: Range<usize>, file: &File, to: u64) -> io::Result<()> {
        let range = range.start..range.end.min(self.0.len());
        let mut done = range.start;
        while done < range.end {
            let at = to.saturating_add((done - range.start) as u64);
            let at = libc::off_t::try_from(at).map_err(io::Error::other)?;
            // SAFETY: the bytes from `done` to the end of the range are within the mapping, which lives as long as `self`. The
            // kernel reads them as they are; one that a thread stores meanwhile is the old or the new one.
            let written = unsafe {
                let from = self.0.as_ptr().add(done);
                libc::pwrite(file.as_raw_fd(), from.cast(), range.end - done, at)
            };
            match usize::try_from(written) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }
}
