//! The archive: a gzip file of a tar file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

/// File of the archive.
#[derive(Debug)]
pub(in crate::cli) struct Entry {
    /// Path within the archive.
    pub(in crate::cli) path: String,
    pub(in crate::cli) modified: DateTime<Utc>,
    pub(in crate::cli) content: Content,
}

#[derive(Debug)]
pub(in crate::cli) enum Content {
    Text(String),
    /// The first bytes of a file, which may grow meanwhile.
    File {
        path: PathBuf,
        file: File,
        length: u64,
    },
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Content::Text(text) => text.len() as u64,
            Content::File { length, .. } => *length,
        }
    }
}

/// Archive that is written in order. Its last file is the list of the others.
pub(in crate::cli) struct Archive<'a> {
    tar: Builder<GzEncoder<&'a mut dyn Write>>,
    /// Folder of all files within the archive.
    folder: &'a str,
    now: DateTime<Utc>,
    written: Vec<Value>,
    progress: ProgressBar,
}

impl<'a> Archive<'a> {
    pub(in crate::cli) fn new(
        out: &'a mut dyn Write,
        folder: &'a str,
        entries: &[Entry],
        now: DateTime<Utc>,
    ) -> Archive<'a> {
        let total = entries.iter().map(|entry| entry.content.length()).sum();
        // Nothing is drawn unless stderr is a terminal.
        let progress = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("writing  {bar:30} {bytes} of {total_bytes}  {eta} left")
        {
            progress.set_style(style);
        }
        // Log lines repeat themselves, so a fast level is small enough.
        let gzip = GzEncoder::new(out, Compression::fast());
        Archive { tar: Builder::new(gzip), folder, now, written: Vec::new(), progress }
    }

    /// Returns the description of the files so far.
    pub(in crate::cli) fn written(&self) -> &[Value] {
        &self.written
    }

    pub(in crate::cli) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let length = entry.content.length();
        let mut header = header(length, entry.modified);
        let path = format!("{}/{}", self.folder, entry.path);
        let mut missing = 0;
        match &entry.content {
            Content::Text(text) => {
                self.tar.append_data(&mut header, path, self.progress.wrap_read(text.as_bytes()))?
            }
            Content::File { path: from, file, .. } => {
                let mut exactly = Exactly { file, left: length, missing: 0 };
                self.tar.append_data(&mut header, path, self.progress.wrap_read(&mut exactly))?;
                missing = exactly.missing;
                if missing > 0 {
                    super::say_on_stderr(format_args!("{} lost {missing} bytes meanwhile", from.display()));
                }
            }
        }
        self.written.push(json!({
            "path": entry.path, "bytes": length, "missing_bytes": missing,
            "modified_at": entry.modified.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }));
        Ok(())
    }

    /// Adds the list of the files and ends the archive.
    pub(in crate::cli) fn finish(mut self, manifest: &Value) -> io::Result<()> {
        let text = format!("{manifest:#}\n");
        let path = format!("{}/manifest.json", self.folder);
        self.tar.append_data(&mut header(text.len() as u64, self.now), path, text.as_bytes())?;
        self.progress.finish_and_clear();
        self.tar.into_inner()?.finish()?.flush()
    }
}

fn header(length: u64, modified: DateTime<Utc>) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o600);
    header.set_mtime(modified.timestamp().try_into().unwrap_or(0));
    header
}

/// Reader of exactly `left` bytes, as a tar file has told the length before. What a file lacks by then is line feeds.
struct Exactly<'a> {
    file: &'a File,
    left: u64,
    missing: u64,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..most];
        // A file that cannot be read any more must not end the archive.
        let read = if self.missing > 0 { 0 } else { self.file.read(buffer).unwrap_or(0) };
        let read = if read == 0 {
            buffer.fill(b'\n');
            self.missing += most as u64;
            most
        } else {
            read
        };
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrinks_does_not_end_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").unwrap();
        let entry = |path: &str, content| Entry { path: path.to_owned(), modified: Utc::now(), content };
        let entries = [
            entry("a.log", Content::File { file: File::open(&path).unwrap(), path, length: 10 }),
            entry("b.txt", Content::Text("two".to_owned())),
        ];
        let mut out = Vec::new();
        let mut archive = Archive::new(&mut out, "all", &entries, Utc::now());
        entries.iter().for_each(|entry| archive.add(entry).unwrap());
        assert_eq!(archive.written()[0]["missing_bytes"], 6);
        archive.finish(&json!({})).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&*out));
        let read = tar.entries().unwrap().map(|entry| {
            let (mut entry, mut text) = (entry.unwrap(), String::new());
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), text)
        });
        let read: Vec<_> = read.collect();
        assert_eq!(read[0], ("all/a.log".to_owned(), "one\n\n\n\n\n\n\n".to_owned()));
        assert_eq!(read[1], ("all/b.txt".to_owned(), "two".to_owned()));
        assert_eq!(read[2].0, "all/manifest.json");
    }
}
