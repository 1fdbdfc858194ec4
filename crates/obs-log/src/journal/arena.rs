//! Memory of a queue: a number of chunks, in a hand-over file or in plain memory.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::files::open::FilePosition;
use crate::journal::file::HandoverFile;
use crate::journal::format::{
    CHUNK_SIZE, CHUNKS, ChunkHeader, DEVICE, FIRST_PIECE, FORMAT, HEADER_BYTES, Head, INODE, Layout, MAGIC,
    MAX_PIECES, OFFSET, PIECES, Piece, SITE_BYTES, SITES,
};
use crate::journal::map::Map;
use crate::limits::MIN_QUEUE_BYTES;

/// Bytes that are provided for a busy process: room for the chunks that take turns, and for those that are being written.
/// The rest is provided when a stall needs it.
const PROVIDED_BYTES: usize = 3 << 20;
/// Bytes of a file that are provided at the start: the header, and room for the first lines. The system writes each provided
/// page to the disk, and a quiet process never needs more.
const FIRST_BYTES: usize = HEADER_BYTES + (8 << 10);

/// Memory for a number of chunks.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(super) map: Map,
    pub(super) layout: Layout,
    /// Dropped after the mapping. `None` for plain memory.
    file: Option<HandoverFile>,
    is_provided: AtomicBool,
}

/// Content of the file of a dead process.
#[derive(Debug)]
pub(crate) enum Leftover {
    /// The process died before it had prepared the file.
    Nothing(HandoverFile),
    Lines(Arena),
    /// Another kind of file, or so damaged that nothing can be found in it. It is left alone.
    Foreign,
}

/// Returns the size of a file for at most `bytes` of lines.
pub(crate) fn file_bytes(bytes: usize) -> u64 {
    Layout::for_bytes(bytes, SITE_BYTES).file_bytes()
}

impl Arena {
    /// Makes an arena in memory that ends with the process. It is smaller than `bytes` if the process may not have as much.
    pub(crate) fn in_memory(bytes: usize) -> io::Result<Arena> {
        // No other process would read its sites.
        let layout = Layout::for_bytes(bytes, 0);
        let length = usize::try_from(layout.file_bytes()).map_err(io::Error::other)?;
        match Map::in_memory(length) {
            Ok(map) => Ok(Arena::formatted(map, layout, None)),
            Err(_) if bytes > MIN_QUEUE_BYTES => Arena::in_memory((bytes / 2).max(MIN_QUEUE_BYTES)),
            Err(error) => Err(error),
        }
    }

    /// Makes an arena in `file`, which is new, all zero, and of the size of [`file_bytes`].
    pub(super) fn in_file(file: HandoverFile, bytes: usize) -> io::Result<Arena> {
        let map = Map::of_new_file(&file).inspect_err(|_| file.remove())?;
        if map.len() as u64 != file_bytes(bytes) {
            file.remove();
            return Err(io::Error::other("the file has another size"));
        }
        Ok(Arena::formatted(map, Layout::for_bytes(bytes, SITE_BYTES), Some(file)))
    }

    fn formatted(map: Map, layout: Layout, file: Option<HandoverFile>) -> Arena {
        let arena = Arena { map, layout, file, is_provided: AtomicBool::new(false) };
        // Relaxed: the store of the magic number below orders both sizes.
        arena.word(CHUNK_SIZE).store(arena.layout.chunk_bytes as u64, Ordering::Relaxed);
        arena.word(CHUNKS).store(arena.layout.chunks as u64, Ordering::Relaxed);
        // Release: a file with the magic number has the two sizes.
        arena.word(FORMAT).store(MAGIC, Ordering::Release);
        arena
    }

    /// Reads the file of another process.
    pub(super) fn left_behind(file: HandoverFile) -> io::Result<Leftover> {
        // Read before it is mapped: a file of an enormous size may consist of nothing but its header.
        let mut head = [0; FIRST_PIECE];
        let length = file.as_file().metadata()?.len();
        if length < HEADER_BYTES as u64 {
            return Ok(Leftover::Nothing(file));
        }
        file.as_file().read_exact_at(&mut head, 0)?;
        let layout = match Layout::read(&head, length) {
            Head::Empty => return Ok(Leftover::Nothing(file)),
            Head::Foreign => return Ok(Leftover::Foreign),
            Head::Valid(layout) => layout,
        };
        file.fill_holes()?;
        let map = Map::of_file(&file)?;
        if map.len() as u64 != layout.file_bytes() {
            return Err(io::Error::other("the file has changed its size"));
        }
        Ok(Leftover::Lines(Arena { map, layout, file: Some(file), is_provided: AtomicBool::new(false) }))
    }

    /// Has the operating system provide the pages of a quiet process. Plain memory is provided whole, because no disk sees it.
    pub(crate) fn provide_first(&self) {
        match self.file {
            Some(_) => self.map.provide(FIRST_BYTES),
            None => self.provide(),
        }
    }

    /// Has the operating system provide the pages of a busy process, once.
    pub(crate) fn provide(&self) {
        // Relaxed: the writer alone asks, and providing twice would do no harm.
        if !self.is_provided.swap(true, Ordering::Relaxed) {
            self.map.provide(PROVIDED_BYTES);
        }
    }

    pub(crate) fn file(&self) -> Option<&HandoverFile> {
        self.file.as_ref()
    }

    /// Number of lines that are in no day file.
    pub(crate) fn undrained(&self) -> u64 {
        let count = |chunk: usize| {
            let header = self.header(self.start(chunk));
            // Acquire: a line that is counted as drained is counted as committed.
            let lines = |count: &AtomicU64| count.load(Ordering::Acquire);
            lines(&header.committed).saturating_sub(lines(&header.drained))
        };
        (0..self.layout.chunks).map(count).fold(0, u64::saturating_add)
    }

    /// Notes that `pieces` are about to be written to `position`.
    pub(crate) fn intend(&self, position: FilePosition, pieces: impl Iterator<Item = Piece>) {
        // Relaxed: the store of the number of pieces below orders all of them.
        self.word(DEVICE).store(position.device, Ordering::Relaxed);
        self.word(INODE).store(position.inode, Ordering::Relaxed);
        self.word(OFFSET).store(position.offset, Ordering::Relaxed);
        let mut count = 0;
        for piece in pieces.take(MAX_PIECES) {
            self.word(FIRST_PIECE + 8 * count).store(piece.packed(), Ordering::Relaxed);
            count += 1;
        }
        // Release: an intent with pieces is complete, at whatever instruction the process is killed.
        self.word(PIECES).store(count as u64, Ordering::Release);
    }

    /// Notes that no write is under way any more.
    pub(crate) fn settle(&self) {
        // Release: the chunks count the lines of the write as drained before the intent is gone.
        self.word(PIECES).store(0, Ordering::Release);
    }

    /// Returns the write that was under way.
    pub(crate) fn intent(&self) -> Option<(FilePosition, Vec<Piece>)> {
        // Acquire: pairs with the stores in `intend` and `settle`.
        let count = usize::try_from(self.word(PIECES).load(Ordering::Acquire)).ok()?;
        if count == 0 || count > MAX_PIECES {
            return None;
        }
        let word = |at: usize| self.word(at).load(Ordering::Relaxed);
        let position = FilePosition { device: word(DEVICE), inode: word(INODE), offset: word(OFFSET) };
        Some((position, (0..count).map(|at| Piece::unpacked(word(FIRST_PIECE + 8 * at))).collect()))
    }

    /// Appends texts of sites, whose length is a multiple of eight. Does nothing if they do not fit. Only one thread may
    /// call it at a time.
    pub(crate) fn add_sites(&self, texts: &[u8]) {
        let used = self.site_bytes();
        if used + texts.len() > self.layout.site_bytes {
            return;
        }
        let (words, _) = texts.as_chunks::<8>();
        for (at, word) in words.iter().enumerate() {
            // Relaxed: the store below orders all of them.
            let place = self.word(self.layout.sites_at() + used + 8 * at);
            place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        // Release: sites that are counted are complete.
        self.word(SITES).store((used + texts.len()) as u64, Ordering::Release);
    }

    /// Returns the texts of all sites, as another process left them.
    pub(crate) fn sites(&self) -> Vec<u8> {
        let word = |at: usize| self.word(self.layout.sites_at() + at).load(Ordering::Relaxed).to_ne_bytes();
        (0..self.site_bytes() / 8 * 8).step_by(8).flat_map(word).collect()
    }

    /// A damaged file may say more than there are.
    fn site_bytes(&self) -> usize {
        // Acquire: pairs with the store in `add_sites`.
        (self.word(SITES).load(Ordering::Acquire) as usize).min(self.layout.site_bytes)
    }

    /// Offset of a chunk.
    pub(super) fn start(&self, chunk: usize) -> usize {
        HEADER_BYTES + chunk * self.layout.chunk_bytes
    }

    #[inline]
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        self.map.view(at)
    }

    #[inline]
    pub(super) fn header(&self, at: usize) -> &ChunkHeader {
        self.map.view(at)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Lines that no day file has stay for the next start.
        if let Some(file) = &self.file
            && self.undrained() == 0
        {
            file.remove();
        }
    }
}
