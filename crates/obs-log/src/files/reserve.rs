//! Blocks that a day file gets before it needs them.
//!
//! A file system gives a growing file a block at a time. Each time it writes its maps of free blocks, to its journal and in
//! place: on ext4 a sixth of all that a line a second makes a disk write. Blocks that are allocated beyond the end of the file
//! cost that once for many lines. The length of the file does not change, so no reader sees them.

use std::fs::File;
use std::time::{Duration, Instant};

/// Bytes that are allocated at once. A finished file keeps what is left of them.
const BYTES: u64 = 128 << 10;
/// Minimum time between two allocations. A file that grows by more gets several blocks at once anyway.
const PAUSE: Duration = Duration::from_secs(10);

/// Blocks beyond the end of a file.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    /// Offset up to which blocks were asked for.
    until: u64,
    asked_at: Option<Instant>,
}

impl Reserve {
    /// Asks for blocks if the file, which has this length, has none left. It never gets more than it may have. A file system
    /// without such blocks, and a full disk, change nothing.
    pub(crate) fn renew(&mut self, file: &File, length: u64, max_bytes: u64) {
        if length < self.until || self.asked_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.asked_at = Some(Instant::now());
        let bytes = BYTES.min(max_bytes.saturating_sub(length));
        self.until = length.saturating_add(bytes);
        allocate(file, length, bytes);
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, offset: u64, bytes: u64) {
    use rustix::fs::{FallocateFlags, fallocate};
    if bytes > 0 {
        let _ = fallocate(file, FallocateFlags::KEEP_SIZE, offset, bytes);
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64, _: u64) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn blocks_beyond_the_end_are_bounded_and_no_part_of_the_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("day.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"line\n").unwrap();
        let mut reserve = Reserve::default();
        reserve.renew(&file, 5, u64::MAX);
        let blocks = |file: &File| file.metadata().unwrap().blocks() * 512;
        let reserved = blocks(&file);
        assert_eq!(std::fs::read(&path).unwrap(), b"line\n");
        assert!(reserved <= BYTES + 8192, "{reserved}");
        // Asked once, however often there are lines.
        for _ in 0..1000 {
            file.write_all(b"line\n").unwrap();
            reserve.renew(&file, file.metadata().unwrap().len(), u64::MAX);
        }
        assert_eq!(blocks(&file).max(8192), reserved.max(8192));
        let mut small = Reserve::default();
        small.renew(&file, 5005, 5010);
        assert_eq!(small.until, 5010, "no more than the file may have");
    }
}
