//! Free space on disks.

use std::io;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// State of one file system.
///
/// ```
/// use obs_doctor::machine::{Machine, Volume};
/// let volume: Volume = Machine::default().volumes.of(std::path::Path::new("/"))?;
/// assert!(volume.available_bytes <= volume.total_bytes);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Bytes available to a user other than root.
    pub available_bytes: u64,
    /// Capacity in bytes.
    pub total_bytes: u64,
    /// Number of files that can still be created; `None` where the file system does not count them.
    pub available_inodes: Option<u64>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Reads the state of file systems.
///
/// ```
/// use obs_doctor::machine::Machine;
/// assert!(Machine::default().volumes.of(std::path::Path::new("/nosuch")).is_err());
/// ```
pub trait Volumes: Send + Sync + 'static {
    /// Returns the state of the file system that holds `path`, which has to exist.
    ///
    /// # Errors
    /// The error of the system call.
    fn of(&self, path: &Path) -> io::Result<Volume>;
}

pub(super) struct RealVolumes;

impl Volumes for RealVolumes {
    fn of(&self, path: &Path) -> io::Result<Volume> {
        let stat = statvfs(path)?;
        Ok(Volume {
            // `f_bavail` and not `f_bfree`: some blocks are reserved for root. The product may overflow on network
            // file systems.
            available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            available_inodes: (stat.f_files > 0).then_some(stat.f_favail),
            read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}
