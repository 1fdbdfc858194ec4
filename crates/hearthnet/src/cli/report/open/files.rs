//! Files of an archive, in memory.
//!
//! An archive comes from another person. Nothing of it is written to disk, and no path of it is used: a file is known by its
//! name in the list of places, or it is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::manifest::{FORMAT, FORMAT_VERSION};
use super::super::place::{ALL, Place};
use crate::failure::Failure;

/// Bytes that an archive may have in all when it is decompressed. Ours have less than 50 MiB.
const MAX_BYTES: u64 = 96 << 20;
/// Bytes of one file.
const MAX_FILE: u64 = 16 << 20;
/// Number of files. Ours have less than 20.
const MAX_FILES: usize = 64;

const MANIFEST: &str = "manifest.json";

/// Files of an archive by their paths.
#[derive(Debug)]
pub(super) struct Files {
    texts: BTreeMap<&'static str, String>,
    pub(super) manifest: Manifest,
}

/// The part of the manifest that is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    pub(super) made_at: String,
    pub(super) made_by: Program,
    pub(super) node: Node,
    #[serde(default)]
    pub(super) left_out: Vec<LeftOut>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Program {
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeftOut {
    pub(super) what: String,
    pub(super) why: String,
}

impl Files {
    /// Reads an archive.
    pub(super) fn read(archive: &Path) -> Result<Files, Failure> {
        let file = File::open(archive).map_err(|error| Failure::io("read", archive, &error))?;
        Files::of(BufReader::new(file)).map_err(|why| {
            Failure::error(format!("{} is no report that can be shown: {why}", archive.display()))
        })
    }

    /// Reads the content of an archive.
    pub(super) fn of(content: impl Read) -> Result<Files, String> {
        let mut texts = BTreeMap::new();
        let unpacked = Bounded { content: GzDecoder::new(content), left: MAX_BYTES };
        let mut tar = tar::Archive::new(unpacked);
        let failed = |error: io::Error| error.to_string();
        // Entries as they are: the crate would read long names of any length into memory.
        for (at, entry) in tar.entries().map_err(failed)?.raw(true).enumerate() {
            if at == MAX_FILES {
                return Err(format!("it has more than {MAX_FILES} files"));
            }
            let mut entry = entry.map_err(failed)?;
            let Some(name) = known(&entry.path_bytes()).filter(|_| entry.header().entry_type().is_file())
            else {
                continue;
            };
            if entry.size() > MAX_FILE {
                return Err(format!("{name} has more than {} MiB", MAX_FILE >> 20));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(failed)?;
            texts.entry(name).or_insert_with(|| String::from_utf8_lossy(&bytes).into_owned());
        }
        let manifest = texts.remove(MANIFEST).ok_or("it has no manifest.json")?;
        let manifest: Manifest =
            serde_json::from_str(&manifest).map_err(|_| "its manifest.json is of another form")?;
        if manifest.format != FORMAT {
            return Err("its manifest.json is of another program or command".to_owned());
        }
        if manifest.version > FORMAT_VERSION {
            return Err(format!("its form has the version {}; use a later hearthnet", manifest.version));
        }
        Ok(Files { texts, manifest })
    }

    /// Returns the text of a file.
    pub(super) fn text(&self, place: Place) -> Option<&str> {
        self.texts.get(place.path).map(String::as_str)
    }

    /// Returns a file of JSON; `None` if it is missing or of another form.
    pub(super) fn json<T: DeserializeOwned>(&self, place: Place) -> Option<T> {
        serde_json::from_str(self.text(place)?).ok()
    }
}

/// Returns the known name of a file, which stands behind the folder of the archive.
fn known(path: &[u8]) -> Option<&'static str> {
    let folder = path.iter().position(|byte| *byte == b'/')?;
    let path = &path[folder + 1..];
    let names = ALL.iter().map(|place| place.path).chain([MANIFEST]);
    names.into_iter().find(|name| name.as_bytes() == path)
}

/// Content that ends with an error after a number of bytes: a small file can decompress to any size.
struct Bounded<R> {
    content: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(format!("it decompresses to more than {} MiB", MAX_BYTES >> 20))
        })?;
        Ok(read)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::{Value, json};
    use tar::{Builder, EntryType, Header};

    use super::*;

    /// Makes an archive of these files. Paths are written as they are.
    pub(in super::super) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, text) in files {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(text.len() as u64);
            header.set_entry_type(EntryType::Regular);
            header.set_cksum();
            tar.append(&header, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    pub(in super::super) fn manifest() -> Value {
        json!({
            "format": "hearthnet-report", "version": 1, "made_at": "2026-11-28T02:00:00.000Z",
            "made_by": { "version": "0.1.0" }, "node": { "id": null, "name": "ada" }, "left_out": [],
        })
    }

    #[track_caller]
    fn refused(bytes: &[u8], word: &str) {
        let why = Files::of(bytes).unwrap_err();
        assert!(why.contains(word), "{word}: {why}");
    }

    #[test]
    fn known_files_are_read_and_others_are_passed_over() {
        let manifest = manifest().to_string();
        let files = Files::of(&*archive(&[
            ("../../etc/passwd", "x"),
            ("/etc/cron.d/x", "x"),
            ("r/../doctor.json", "x"),
            ("r/doctor.json", "{\"a\":1}"),
            ("r/doctor.json", "{\"a\":2}"),
            ("r/manifest.json", &manifest),
        ]));
        let files = files.unwrap();
        assert_eq!(files.texts.len(), 1);
        assert_eq!(files.text(super::super::super::place::DOCTOR), Some("{\"a\":1}"), "the first one counts");
    }

    #[test]
    fn hostile_archives_are_refused_in_bounded_memory() {
        let mut manifest = manifest();
        refused(b"", "");
        refused(b"no gzip at all", "");
        refused(&archive(&[]), "manifest");
        refused(&archive(&[("r/manifest.json", "{")]), "another form");
        manifest["version"] = 2.into();
        refused(&archive(&[("r/manifest.json", &manifest.to_string())]), "later");
        manifest["format"] = "x".into();
        refused(&archive(&[("r/manifest.json", &manifest.to_string())]), "another program");
        refused(&archive(&[("r/x", ""); MAX_FILES + 1]), "64 files");
        let whole = archive(&[("r/manifest.json", &super::tests::manifest().to_string())]);
        for end in 0..whole.len() - 1 {
            // An end that is cut may lose no more than zeros.
            let _ = Files::of(&whole[..end]);
        }
        let bomb = |header: &Header, bytes: u64| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(header.as_bytes()).unwrap();
            let zeros = vec![0; 1 << 20];
            (0..bytes >> 20).for_each(|_| gzip.write_all(&zeros).unwrap());
            gzip.finish().unwrap()
        };
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..13].copy_from_slice(b"r/doctor.json");
        header.set_size(1 << 40);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        refused(&bomb(&header, 1 << 20), "16 MiB");
        header.as_mut_bytes()[..13].copy_from_slice(b"r/xxxxxx.json");
        header.set_cksum();
        refused(&bomb(&header, MAX_BYTES + (1 << 20)), "96 MiB");
        // A long name that the header announces.
        header.set_entry_type(EntryType::GNULongName);
        header.set_cksum();
        refused(&bomb(&header, MAX_BYTES + (1 << 20)), "96 MiB");
    }
}
