//! Small disk for tests, which can be filled.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// File system in memory. Dropping it unmounts it.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None` where this user may not mount.
    pub(crate) fn mount(at: &Path, bytes: u64) -> Option<SmallDisk> {
        fs::create_dir(at).unwrap();
        let disk = SmallDisk(at.to_owned());
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).then_some(disk)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Runs a command on the place of the disk. Returns whether it succeeds.
    pub(crate) fn run(&self, command: &str, options: &[&str]) -> bool {
        let done = Command::new(command).args(options).arg(&self.0).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }

    /// Takes all of the room.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[1; 512]).is_ok() {}
    }

    /// Gives the room back.
    pub(crate) fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.run("umount", &["-l"]);
    }
}
