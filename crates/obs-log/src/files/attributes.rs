//! Attributes of files and folders that refuse some of what their permissions allow (`chattr`).
//!
//! Unsafe is here the call of `statx`, which gets a path and a place for its answer.
#![allow(unsafe_code)]

use std::path::Path;

/// Whether nothing may be removed from the folder at `path`, or the file there may not be removed.
#[cfg(target_os = "linux")]
pub(crate) fn keeps_all(path: &Path) -> bool {
    use std::ffi::CString;
    use std::mem;
    use std::os::unix::ffi::OsStrExt;

    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path ends with a zero; a zeroed `statx` is a valid value, which the call overwrites.
    let (result, there) = unsafe {
        let mut there: libc::statx = mem::zeroed();
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        let result = libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, libc::STATX_BASIC_STATS, &mut there);
        (result, there)
    };
    // Where the file system does not tell, the operation itself will.
    let kept = (libc::STATX_ATTR_APPEND | libc::STATX_ATTR_IMMUTABLE) as u64;
    result == 0 && there.stx_attributes & kept != 0
}

/// Whether nothing may be removed from the folder at `path`, or the file there may not be removed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keeps_all(_: &Path) -> bool {
    false
}
