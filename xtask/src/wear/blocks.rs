//! Files that the written blocks belong to, from the kernel's trace of requests to the device.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::device::Device;
use super::output;

/// Folder of the kernel's traces.
const TRACING: &str = "/sys/kernel/tracing";
/// Bytes of a block of the file system.
const BLOCK: u64 = 4096;
/// Sectors of a block, as the trace counts them.
const SECTORS: u64 = BLOCK / 512;

/// Trace of a device's requests. Without the kernel's tracing, nothing is known of the files.
pub(super) struct Blocks {
    /// Trace of its own beside those of others; the reason if there is none.
    instance: Result<PathBuf, String>,
    /// Owner of each block that was in a file or a table at any look.
    owners: HashMap<u64, String>,
}

impl Blocks {
    /// Begins to trace.
    pub(super) fn watch(device: &Device) -> Blocks {
        let mut blocks = Blocks { instance: start(device), owners: HashMap::new() };
        if blocks.instance.is_ok() {
            blocks.note_tables(device);
        }
        blocks
    }

    /// Notes where the files are now.
    pub(super) fn look(&mut self, device: &Device) {
        if self.instance.is_ok() {
            self.note_files(device.mounted(), device.mounted());
        }
    }

    fn note_files(&mut self, folder: &Path, root: &Path) {
        let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        self.note(folder, "folders");
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.note_files(&path, root),
                Ok(kind) if kind.is_file() => self.note(&path, &shown(&path)),
                _ => {}
            }
        }
    }

    /// Notes the blocks of a file, from lines such as ` 0: 0.. 7: 33280.. 33287: 8: last`.
    fn note(&mut self, path: &Path, owner: &str) {
        let listed = output("filefrag", &["-b4096", "-v", &path.to_string_lossy()]).unwrap_or_default();
        for line in listed.lines() {
            let parts: Vec<&str> = line.split(':').collect();
            let [number, _, physical, ..] = parts[..] else { continue };
            let Some((first, last)) = physical.split_once("..") else { continue };
            if let (Ok(_), Ok(first), Ok(last)) =
                (number.trim().parse::<u64>(), first.trim().parse::<u64>(), last.trim().parse::<u64>())
            {
                (first..=last).for_each(|block| {
                    self.owners.insert(block, owner.to_owned());
                });
            }
        }
    }

    /// Notes the blocks of the journal and of the file system's own tables.
    fn note_tables(&mut self, device: &Device) {
        let journal = output("debugfs", &["-R", "blocks <8>", device.path()]).unwrap_or_default();
        for block in journal.split_ascii_whitespace().filter_map(|block| block.parse().ok()) {
            self.owners.insert(block, "ext4's journal".to_owned());
        }
        let groups = output("dumpe2fs", &[device.path()]).unwrap_or_default();
        for line in groups.lines().filter_map(|line| line.trim().strip_prefix("Inode table at ")) {
            let range = line.split_ascii_whitespace().next().and_then(|range| range.split_once('-'));
            let ends = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
            if let Some((first, last)) = ends {
                (first..=last).for_each(|block: u64| {
                    self.owners.insert(block, "inode tables".to_owned());
                });
            }
        }
    }

    /// Returns the table of the owners, the largest first.
    pub(super) fn text(&self, device: &Device) -> String {
        let instance = match &self.instance {
            Ok(instance) => instance,
            Err(reason) => return format!("\nwhere the bytes went is not known: {reason}"),
        };
        let trace = fs::read_to_string(instance.join("trace")).unwrap_or_default();
        let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
        for (sector, sectors) in trace.lines().filter_map(written) {
            for block in sector / SECTORS..(sector + sectors).div_ceil(SECTORS) {
                let owner = self.owners.get(&block).map_or("bitmaps, removed files", String::as_str);
                *bytes.entry(owner).or_default() += BLOCK;
            }
        }
        let mut rows: Vec<_> = bytes.into_iter().collect();
        rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let rows = rows.iter().map(|(owner, bytes)| format!("{:>9} kB  {owner}\n", bytes.div_ceil(1000)));
        format!("\nwhere the bytes of {} went\n{}", device.path(), rows.collect::<String>())
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        if let Ok(instance) = &self.instance {
            let _ = fs::write(instance.join("events/block/block_rq_issue/enable"), "0");
            let _ = fs::remove_dir(instance);
        }
    }
}

fn start(device: &Device) -> Result<PathBuf, String> {
    let said = |error: std::io::Error| format!("the kernel's tracing cannot be used: {error}");
    if !Path::new(TRACING).join("instances").is_dir() {
        return Err(format!("tracefs is not mounted at {TRACING}"));
    }
    let instance = Path::new(TRACING).join("instances").join(format!("obs-wear-{}", std::process::id()));
    fs::create_dir(&instance).map_err(said)?;
    let (major, minor) = device.numbers()?;
    let event = instance.join("events/block/block_rq_issue");
    let set = |path: PathBuf, text: String| fs::write(path, text).map_err(said);
    let begun = set(instance.join("buffer_size_kb"), "4096".to_owned())
        // The kernel's own form of the two numbers.
        .and_then(|()| set(event.join("filter"), format!("dev == {}", major << 20 | minor)))
        .and_then(|()| set(event.join("enable"), "1".to_owned()));
    match begun {
        Ok(()) => Ok(instance),
        Err(error) => {
            let _ = fs::remove_dir(&instance);
            Err(error)
        }
    }
}

/// Returns first sector and number of sectors of a written request, from a line such as
/// `… block_rq_issue: 7,0 WS 4096 () 33280 + 8 none,0,0 [kworker/u4:1]`.
fn written(line: &str) -> Option<(u64, u64)> {
    let (_, request) = line.split_once("block_rq_issue: ")?;
    let mut words = request.split_ascii_whitespace();
    let kind = words.nth(1)?;
    let words: Vec<&str> = words.collect();
    let plus = words.iter().position(|word| *word == "+")?;
    let number = |at: Option<usize>| words.get(at?)?.parse::<u64>().ok();
    let (sector, sectors) = (number(plus.checked_sub(1))?, number(Some(plus + 1))?);
    (kind.contains('W') && sectors > 0).then_some((sector, sectors))
}
