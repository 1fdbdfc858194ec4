//! File system on a loop device of its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::output;

/// Size of an image. Its blocks take no room before they are written.
const IMAGE_BYTES: u64 = 1 << 30;
/// Size of a sector in `/sys/block`, whatever the device's own is.
const SECTOR: u64 = 512;
/// Column of the written sectors in `/sys/block/*/stat`.
const WRITTEN: usize = 6;

/// Mounted device. Dropping it removes the mount, the device and the image.
pub(super) struct Device {
    image: PathBuf,
    /// Such as `/dev/loop0`.
    path: String,
    mounted: PathBuf,
}

impl Device {
    pub(super) fn new(folder: &Path, name: &str, commit_seconds: u64) -> Result<Device, String> {
        let own = format!("obs-wear-{}-{name}", std::process::id());
        let image = folder.join(format!("{own}.ext4"));
        let mounted = std::env::temp_dir().join(own);
        let mut device = Device { image, path: String::new(), mounted };
        device.set_up(commit_seconds)?;
        Ok(device)
    }

    fn set_up(&mut self, commit_seconds: u64) -> Result<(), String> {
        let said = |error: std::io::Error| error.to_string();
        let (image, mounted) = (text(&self.image), text(&self.mounted));
        fs::File::create_new(&self.image).and_then(|file| file.set_len(IMAGE_BYTES)).map_err(said)?;
        // All of the tables now: the kernel would fill them in during the measurement.
        let whole = "lazy_itable_init=0,lazy_journal_init=0";
        output("mkfs.ext4", &["-q", "-F", "-b", "4096", "-E", whole, &image])?;
        self.path = output("losetup", &["--find", "--show", &image])?.trim().to_owned();
        fs::create_dir_all(&self.mounted).map_err(said)?;
        // Without times of access: the measurement reads the log, which would write them on one of the two alone.
        output("mount", &["-o", &format!("noatime,commit={commit_seconds}"), &self.path, &mounted])?;
        self.sync()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn mounted(&self) -> &Path {
        &self.mounted
    }

    fn in_sys(&self, file: &str) -> Result<String, String> {
        let name = self.path.trim_start_matches("/dev/");
        let path = format!("/sys/block/{name}/{file}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }

    /// Returns major and minor number.
    pub(super) fn numbers(&self) -> Result<(u64, u64), String> {
        let text = self.in_sys("dev")?;
        let numbers = text.trim().split_once(':');
        numbers
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
            .ok_or_else(|| format!("{}: the numbers {text:?} are unreadable", self.path))
    }

    /// Returns the bytes that the device wrote.
    pub(super) fn written(&self) -> Result<u64, String> {
        let text = self.in_sys("stat")?;
        let sectors =
            text.split_ascii_whitespace().nth(WRITTEN).and_then(|sectors| sectors.parse::<u64>().ok());
        sectors.map(|sectors| sectors * SECTOR).ok_or_else(|| format!("{}: no written sectors", self.path))
    }

    /// Writes all that waits in memory.
    pub(super) fn sync(&self) -> Result<(), String> {
        output("sync", &["-f", &text(&self.mounted)]).map(drop)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Lazily, because a process may still hold a file when the measurement was broken off.
        let _ = output("umount", &["-l", &text(&self.mounted)]);
        if !self.path.is_empty() {
            let _ = output("losetup", &["-d", &self.path]);
        }
        let _ = fs::remove_dir(&self.mounted);
        let _ = fs::remove_file(&self.image);
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
