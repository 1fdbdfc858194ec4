//! Writing of the hand-over file's records to the file of the history.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::file::Place;
use super::format::{CURSOR, HEADER_BYTES, Layout, NAME_BYTES, RING_AT};
use super::owner;
use super::ring::Ring;

/// Time after which new records are written. Pages of 4 KiB are full by then on a quiet node, so that a disk sees each once.
/// A power cut loses the traces of this time.
pub(super) const INTERVAL: Duration = Duration::from_secs(300);
/// Time after which a failed write is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Time between two looks at whether the file is still in its place. A look is one system call, so an idle node can afford it, and
/// a kill after a removal loses the traces of this time.
const LOOK: Duration = Duration::from_secs(60);
/// Bytes before the new ones that are written again. A thread may have been interrupted within a record.
const OVERLAP: u64 = 4 << 10;

/// File of the history, and what it has.
pub(super) struct Flush {
    place: Place,
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
    next_look: Instant,
    has_failed: bool,
    /// Whether the file was made again and was not written since.
    is_new: bool,
    skipped_bytes: u64,
}

/// Change of the state of the disk that a person should know.
pub(super) enum Turn {
    Failed(io::Error),
    Recovered,
    /// The file was removed or replaced. It was made again and has the records of the hand-over file.
    MadeAgain,
}

impl Flush {
    /// Takes a file that has the records before `written`. The hand-over file has records from the first position on, and
    /// this run begins at the second one.
    pub(super) fn new(
        place: Place,
        file: File,
        layout: Layout,
        written: u64,
        [first, begun]: [u64; 2],
    ) -> io::Result<Flush> {
        let names = names_in(&file)?;
        let now = Instant::now();
        Ok(Flush {
            place,
            file,
            layout,
            first,
            begun,
            written,
            names,
            next: now + INTERVAL,
            next_look: now + LOOK,
            has_failed: false,
            is_new: false,
            skipped_bytes: 0,
        })
    }

    /// Returns the position at which there is enough to be written.
    pub(super) fn due_at(&self) -> u64 {
        // A quarter of the hand-over file's ring, so that a keeper that is late finds all of them.
        let most = self.layout.of_handover().ring_bytes / 4;
        if self.has_failed { u64::MAX } else { self.written.saturating_add(most) }
    }

    /// Returns the time until the next write or look.
    pub(super) fn wait(&self) -> Duration {
        self.next.min(self.next_look).saturating_duration_since(Instant::now())
    }

    /// Returns the position from which on the hand-over file has all records.
    pub(super) fn oldest(&self, ring: &Ring) -> u64 {
        // A ring of this size still has these records. Another thread may overwrite a few more during the reading.
        ring.cursor().saturating_sub(self.layout.of_handover().ring_bytes).max(self.first)
    }

    /// Returns the bytes of records that were overwritten before they were written to the file.
    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Returns the layout of the file.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the file has all records.
    pub(super) fn is_written(&self, ring: &Ring) -> bool {
        !self.has_failed && self.written == ring.cursor()
    }

    /// Writes the new records if it is time, or all of them if the file is gone.
    pub(super) fn run_if_due(&mut self, ring: &Ring) -> Option<Turn> {
        let now = Instant::now();
        if self.next <= now || ring.cursor() >= self.due_at() {
            return self.run(ring);
        }
        if self.next_look > now {
            return None;
        }
        self.next_look = now + LOOK;
        if self.is_gone() { self.run_from(ring, self.written) } else { None }
    }

    /// Writes the new records. Returns what a person should know.
    pub(super) fn run(&mut self, ring: &Ring) -> Option<Turn> {
        if ring.cursor() == self.written && !self.is_gone() {
            self.next = Instant::now() + INTERVAL;
            return None;
        }
        self.run_from(ring, self.written.saturating_sub(OVERLAP))
    }

    /// Notes the orderly end in the file, which has all records.
    pub(super) fn note_end(&self) {
        // Without the note, the next start says that records may be missing.
        let _ = owner::note_open(&self.file, false);
    }

    /// Whether the file was removed or replaced. Its blocks stay until the end of the process, and nobody can read them.
    fn is_gone(&self) -> bool {
        !self.place.leads_to(&self.file)
    }

    /// Writes all records of this run that are in the hand-over file, at the end of the history.
    pub(super) fn finish(&mut self, ring: &Ring) -> Option<Turn> {
        let is_idle = ring.cursor() == self.written && self.begun == self.written && !self.is_gone();
        if is_idle { None } else { self.run_from(ring, self.begun.min(self.written)) }
    }

    fn run_from(&mut self, ring: &Ring, from: u64) -> Option<Turn> {
        let end = ring.cursor();
        let oldest = self.oldest(ring);
        let skipped = oldest.saturating_sub(self.written);
        let result = self.make_again_if_gone(end).and_then(|()| {
            let from = if self.is_new { oldest } else { from };
            // From the beginning of a page, so that the disk reads none.
            self.write(ring, (from / 4096 * 4096).max(oldest), end)
        });
        self.next = Instant::now() + if result.is_ok() { INTERVAL } else { RETRY };
        match result {
            Ok(()) => {
                self.skipped_bytes += skipped;
                self.written = end;
                let has_failed = std::mem::take(&mut self.has_failed);
                match std::mem::take(&mut self.is_new) {
                    true => Some(Turn::MadeAgain),
                    false => has_failed.then_some(Turn::Recovered),
                }
            }
            Err(error) => (!std::mem::replace(&mut self.has_failed, true)).then_some(Turn::Failed(error)),
        }
    }

    fn make_again_if_gone(&mut self, end: u64) -> io::Result<()> {
        if self.is_gone() {
            self.file = self.place.make_again(self.layout, end)?;
            self.names = names_in(&self.file)?;
            self.is_new = true;
        }
        Ok(())
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

/// Returns the places of the names in a file.
fn names_in(file: &File) -> io::Result<Vec<u8>> {
    let mut names = vec![0; RING_AT - HEADER_BYTES];
    file.read_exact_at(&mut names, HEADER_BYTES as u64)?;
    Ok(names)
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
        let place = Place { dir: disk.path().to_owned(), max_bytes: 2 << 20 };
        let mut flush = Flush::new(place, written.try_clone().unwrap(), layout, 0, [0, 0]).unwrap();
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

    #[test]
    fn a_file_that_is_gone_is_missed_without_new_records_and_made_when_its_folder_can_be() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("history");
        std::fs::create_dir(&dir).unwrap();
        let layout = Layout::for_bytes(1 << 20, [3, 4]);
        let small = layout.of_handover();
        let memory = file_of(&place.path().join("handover"), small.file_bytes());
        let ring = Ring::new(Map::of(&memory, small.file_bytes() as usize).unwrap(), small, 0);
        let path = dir.join("traces.ring");
        let file = file_of(&path, layout.file_bytes());
        let at = Place { dir: dir.clone(), max_bytes: 1 << 20 };
        let mut flush = Flush::new(at, file, layout, 0, [0, 0]).unwrap();
        end_trace(&ring, 3);
        assert!(flush.run(&ring).is_none() && flush.is_written(&ring));
        let content = std::fs::read(&path).unwrap();

        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::write(&dir, "in its place").unwrap();
        assert!(flush.run_if_due(&ring).is_none(), "not before it is time");
        assert!(flush.wait() <= LOOK);
        flush.next_look = Instant::now();
        assert!(matches!(flush.run_if_due(&ring), Some(Turn::Failed(_))), "no folder can be made");
        flush.next_look = Instant::now();
        assert!(flush.run_if_due(&ring).is_none() && !flush.is_written(&ring), "said once");
        std::fs::remove_file(&dir).unwrap();
        flush.next_look = Instant::now();
        assert!(matches!(flush.run_if_due(&ring), Some(Turn::MadeAgain)));
        assert!(flush.is_written(&ring) && flush.run(&ring).is_none());
        let again = std::fs::read(&path).unwrap();
        assert!(again[RING_AT..] == content[RING_AT..], "the file has what the memory has");
        assert!(
            matches!(Layout::read(&again[..HEADER_BYTES]), super::super::format::Head::Valid(found) if found == layout)
        );
    }
}
