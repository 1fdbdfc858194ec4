//! Attributes of files and folders that refuse some of what their permissions allow (`chattr`).

use std::path::Path;

/// Whether nothing may be removed from the folder at `path`, or the file there may not be removed.
#[cfg(target_os = "linux")]
pub(crate) fn keeps_all(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    // If the file system does not tell, the operation itself will.
    found.is_ok_and(|found| {
        found.stx_attributes.intersects(StatxAttributes::APPEND | StatxAttributes::IMMUTABLE)
    })
}

/// Whether nothing may be removed from the folder at `path`, or the file there may not be removed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keeps_all(_: &Path) -> bool {
    false
}
