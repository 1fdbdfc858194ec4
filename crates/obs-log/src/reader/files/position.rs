//! Position of a reader as text, with which a later reader goes on.

use super::Reader;
use super::delivered::Delivered;
use super::open_file::OpenFile;

/// Maximum number of contents in a position. A reader of the last day has two or three; rotation by hours makes 24.
const CONTENTS: usize = 32;

impl Reader {
    /// Returns the position as one line of text, for [`resume`](Reader::resume) of a later reader. It names the contents that
    /// were delivered, and how far.
    ///
    /// ```
    /// use obs_log::reader::{Piece, Reader};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"bus","msg":"joined"}"#;
    /// let file = folder.path().join("2026-05-26.log");
    /// std::fs::write(&file, format!("{line}\n"))?;
    /// let mut reader = Reader::new(folder.path());
    /// reader.read_new(true, |_, _| Ok(()))?;
    /// let position = reader.position();
    ///
    /// std::fs::write(&file, format!("{line}\n{line}\n"))?; // one line more
    /// let (mut later, mut lines) = (Reader::new(folder.path()), 0);
    /// assert!(later.resume(&position));
    /// later.read_new(true, |_, piece| {
    ///     lines += usize::from(matches!(piece, Piece::Line(_)));
    ///     Ok(())
    /// })?;
    /// assert_eq!(lines, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn position(&self) -> String {
        let followed = self.followed.values().filter_map(OpenFile::delivered);
        let mut contents: Vec<Delivered> = self.memory.iter().cloned().chain(followed).collect();
        contents.sort_by(|a, b| a.age().cmp(&b.age()));
        contents.dedup();
        let first = contents.len().saturating_sub(CONTENTS);
        let texts: Vec<String> = contents[first..].iter().map(Delivered::to_text).collect();
        texts.join(";")
    }

    /// Goes on at the position of an earlier reader: lines that it has delivered are not delivered again, whatever file has
    /// them now. Returns `false` if the text is no position; nothing has changed then.
    pub fn resume(&mut self, position: &str) -> bool {
        let texts = position.split(';').filter(|text| !text.is_empty());
        let Some(contents) = texts.take(CONTENTS).map(Delivered::parse).collect::<Option<Vec<_>>>() else {
            return false;
        };
        contents.iter().for_each(|content| self.memory.add(Some(content.clone())));
        self.resumed = contents;
        true
    }
}
