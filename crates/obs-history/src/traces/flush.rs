//! Writing of the hand-over file's records to the file of the history.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::format::{CURSOR, HEADER_BYTES, Layout, NAME_BYTES, RING_AT};
use super::ring::Ring;

/// Time after which new records are written. Pages of 4 KiB are full by then on a quiet node, so that a disk sees each once.
/// A power cut loses the traces of this time.
pub(super) const INTERVAL: Duration = Duration::from_secs(300);
/// Time after which a failed write is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Bytes before the new ones that are written again. A thread may have been interrupted within a record.
const OVERLAP: u64 = 4 << 10;

/// File of the history, and what it has.
pub(super) struct Flush {
    file: File,
    layout: Layout,
    /// First position that the hand-over file ever had. It has zeros before it.
    first: u64,
    /// Position at the beginning of this run.
    begun: u64,
    /// Position behind the records that are in the file.
    written: u64,
    /// Names that are in the file.
    names: Vec<u8>,
    next: Instant,
    has_failed: bool,
    skipped_bytes: u64,
}

/// Change of the state of the disk that a person should know.
pub(super) enum Turn {
    Failed(io::Error),
    Recovered,
}

impl Flush {
    /// Takes a file that has the records before `written`. The hand-over file has records from the first position on, and
    /// this run begins at the second one.
    pub(super) fn new(
        file: File,
        layout: Layout,
        written: u64,
        [first, begun]: [u64; 2],
    ) -> io::Result<Flush> {
        let mut names = vec![0; RING_AT - HEADER_BYTES];
        file.read_exact_at(&mut names, HEADER_BYTES as u64)?;
        let next = Instant::now() + INTERVAL;
        Ok(Flush { file, layout, first, begun, written, names, next, has_failed: false, skipped_bytes: 0 })
    }

    /// Returns the position at which there is enough to be written.
    pub(super) fn due_at(&self) -> u64 {
        // A quarter of the hand-over file's ring, so that a keeper that is late finds all of them.
        let most = self.layout.of_handover().ring_bytes / 4;
        if self.has_failed { u64::MAX } else { self.written.saturating_add(most) }
    }

    /// Returns the time until the next write.
    pub(super) fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Returns the bytes of records that were overwritten before they were written to the file.
    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Returns the bytes of the file's ring.
    pub(super) fn ring_bytes(&self) -> u64 {
        self.layout.ring_bytes
    }

    /// Whether the file has all records.
    pub(super) fn is_written(&self, ring: &Ring) -> bool {
        !self.has_failed && self.written == ring.cursor()
    }

    /// Writes the new records if it is time.
    pub(super) fn run_if_due(&mut self, ring: &Ring) -> Option<Turn> {
        let is_due = self.wait().is_zero() || ring.cursor() >= self.due_at();
        if is_due { self.run(ring) } else { None }
    }

    /// Writes the new records. Returns whether the disk fails or works again.
    pub(super) fn run(&mut self, ring: &Ring) -> Option<Turn> {
        if ring.cursor() == self.written {
            self.next = Instant::now() + INTERVAL;
            return None;
        }
        self.run_from(ring, self.written.saturating_sub(OVERLAP))
    }

    /// Writes all records of this run that are in the hand-over file, at the end of the history.
    pub(super) fn finish(&mut self, ring: &Ring) -> Option<Turn> {
        let is_idle = ring.cursor() == self.written && self.begun == self.written;
        if is_idle { None } else { self.run_from(ring, self.begun.min(self.written)) }
    }

    fn run_from(&mut self, ring: &Ring, from: u64) -> Option<Turn> {
        let end = ring.cursor();
        // What a ring of this size still has. A thread may overwrite a little more while this one reads.
        let oldest = end.saturating_sub(self.layout.of_handover().ring_bytes).max(self.first);
        // From the beginning of a page, so that the disk reads none.
        let result = self.write(ring, (from / 4096 * 4096).max(oldest), end);
        self.next = Instant::now() + if result.is_ok() { INTERVAL } else { RETRY };
        match result {
            Ok(()) => {
                self.skipped_bytes += oldest.saturating_sub(self.written);
                self.written = end;
                std::mem::take(&mut self.has_failed).then_some(Turn::Recovered)
            }
            Err(error) => (!std::mem::replace(&mut self.has_failed, true)).then_some(Turn::Failed(error)),
        }
    }

    fn write(&mut self, ring: &Ring, from: u64, end: u64) -> io::Result<()> {
        // Names first: a record must never be without them.
        self.write_names(ring)?;
        let mut position = from;
        while position < end {
            let at = position % self.layout.ring_bytes;
            let length = (end - position).min(self.layout.ring_bytes - at);
            position += ring.write_to(position, length, &self.file, RING_AT as u64 + at)?;
        }
        self.file.write_all_at(&end.to_ne_bytes(), CURSOR as u64)
    }

    fn write_names(&mut self, ring: &Ring) -> io::Result<()> {
        let names = ring.names_in_use();
        let places = names.chunks(NAME_BYTES).zip(self.names.chunks_mut(NAME_BYTES)).enumerate();
        for (number, (name, written)) in places.filter(|(_, (name, written))| name != written) {
            self.file.write_all_at(name, (HEADER_BYTES + number * NAME_BYTES) as u64)?;
            written.copy_from_slice(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::Path;

    use super::super::format::HEAD_BYTES;
    use super::super::map::Map;
    use super::*;
    use crate::tests::small_disk::SmallDisk;

    fn file_of(path: &Path, bytes: u64) -> File {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(bytes).unwrap();
        file
    }

    fn end_trace(ring: &Ring, times: usize) {
        for _ in 0..times {
            let mut record = vec![7; HEAD_BYTES + 1_000];
            ring.append(&mut record, 1_000, false);
        }
    }

    /// The file has no blocks yet, as on a file system that cannot allocate them beforehand.
    #[test]
    fn a_full_disk_stops_the_writes_until_there_is_room() {
        let place = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::mount(&place.path().join("small"), 8 << 20) else { return };
        let layout = Layout::for_bytes(2 << 20, [3, 4]);
        let small = layout.of_handover();
        let memory = file_of(&place.path().join("handover"), small.file_bytes());
        let ring = Ring::new(Map::of(&memory, small.file_bytes() as usize).unwrap(), small, 0);
        let written = file_of(&disk.path().join("traces.ring"), layout.file_bytes());
        let mut flush = Flush::new(written.try_clone().unwrap(), layout, 0, [0, 0]).unwrap();
        end_trace(&ring, 3);
        assert!(flush.run(&ring).is_none() && flush.is_written(&ring));

        disk.fill();
        end_trace(&ring, 100);
        let turn = flush.run(&ring);
        assert!(matches!(&turn, Some(Turn::Failed(error)) if error.kind() == io::ErrorKind::StorageFull));
        // Said once, and tried again a minute later, however much there is.
        assert!(flush.run(&ring).is_none() && !flush.is_written(&ring));
        assert!(flush.wait() <= RETRY && flush.due_at() == u64::MAX);
        assert!(flush.run_if_due(&ring).is_none(), "a trace does not wait for the disk");

        // More than the memory holds meanwhile: the oldest bytes are counted.
        let lost = 40;
        end_trace(&ring, small.ring_bytes as usize / 1_024 + lost - 100);
        disk.clear();
        assert!(matches!(flush.run(&ring), Some(Turn::Recovered)));
        assert!(flush.is_written(&ring) && flush.run(&ring).is_none());
        assert_eq!(flush.skipped_bytes(), lost as u64 * 1_024);
        let mut bytes = vec![0; small.ring_bytes as usize];
        let mut in_memory = bytes.clone();
        memory.read_exact_at(&mut in_memory, RING_AT as u64).unwrap();
        // The newest lap of the small ring, which the large one has behind the first.
        let begin = ring.cursor() - small.ring_bytes;
        written.read_exact_at(&mut bytes, RING_AT as u64 + begin).unwrap();
        in_memory.rotate_left((begin % small.ring_bytes) as usize);
        assert!(bytes == in_memory, "the file has what the memory has");
    }
}
