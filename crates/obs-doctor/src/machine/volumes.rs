//! Room on a disk.

use std::io;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// What one file system says of itself.
///
/// ```
/// use obs_doctor::machine::{System, Volume};
/// let volume: Volume = System::default().volumes.of(std::path::Path::new("/"))?;
/// assert!(volume.available_bytes <= volume.total_bytes);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Bytes that a user who is not root may still write.
    pub available_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Files that may still be made; `None` where the file system does not count them.
    pub available_inodes: Option<u64>,
    /// Mounted read-only.
    pub read_only: bool,
}

/// Asks file systems how much room they have.
///
/// ```
/// use obs_doctor::machine::System;
/// assert!(System::default().volumes.of(std::path::Path::new("/nosuch")).is_err());
/// ```
pub trait Volumes: Send + Sync + 'static {
    /// The file system that holds `path`, which exists.
    ///
    /// # Errors
    /// Whatever the system call says.
    fn of(&self, path: &Path) -> io::Result<Volume>;
}

pub(super) struct RealVolumes;

impl Volumes for RealVolumes {
    fn of(&self, path: &Path) -> io::Result<Volume> {
        let stat = statvfs(path)?;
        Ok(Volume {
            available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            available_inodes: (stat.f_files > 0).then_some(stat.f_favail),
            read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}
