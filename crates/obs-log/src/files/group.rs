//! Group that may read the log.
//!
//! Unsafe code is here because the standard library cannot look up a group. Invariant: `getgrnam_r` gets a buffer that lives
//! as long as what is read of its result.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::{PermissionsExt, chown, fchown};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{getegid, geteuid, getgroups};

use crate::config::error::{Error, ErrorKind};
use crate::process::stderr;

/// Mode of a folder that the group may read.
const FOLDER_MODE: u32 = 0o750;
/// Mode of a file that the group may read.
const FILE_MODE: u32 = 0o640;
/// Largest buffer for the entry of a group in bytes. It holds the names of all its members.
const MAX_ENTRY_BYTES: usize = 1 << 20;

/// Group, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group(u32);

impl Group {
    /// Returns the group with this name or number, if this user may give files to it.
    pub(crate) fn find(name: &str) -> Result<Group, Error> {
        let found = match name.parse() {
            // `chown` takes the greatest number for "unchanged".
            Ok(number) => Some(number).filter(|number| *number != u32::MAX),
            Err(_) => {
                number_of(name).map_err(|error| unknown(name, &format!("cannot be looked up ({error})")))?
            }
        };
        let number = found.ok_or_else(|| unknown(name, "does not exist"))?;
        if may_give(number) {
            return Ok(Group(number));
        }
        let problem = format!("this user is not a member of the group `{name}`");
        Err(Error::new(
            ErrorKind::Group,
            problem,
            "add the user to it with `usermod -aG`, or name another group",
        ))
    }

    /// Lets the group read a new file. If that fails, the file stays private.
    pub(crate) fn share_file(self, file: &File, path: &Path) {
        let shared = fchown(file, None, Some(self.0))
            .and_then(|()| file.set_permissions(Permissions::from_mode(FILE_MODE)));
        shared.unwrap_or_else(|error| self.warn(path, &error));
    }

    /// Lets the group read a new folder. If that fails, the folder stays private.
    pub(crate) fn share_folder(self, path: &Path) {
        let shared = chown(path, None, Some(self.0))
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)));
        shared.unwrap_or_else(|error| self.warn(path, &error));
    }

    /// Reports the first failure. The next ones have the same reason.
    fn warn(self, path: &Path, error: &io::Error) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !WARNED.swap(true, Ordering::Relaxed) {
            let (path, number) = (path.display(), self.0);
            stderr::say(format!("cannot let the group {number} read {path}: {error}; it stays private"));
        }
    }
}

/// Lets the group of `plain` read `packed`, if a group may read `plain` because of this module.
#[cfg(feature = "compress")]
pub(crate) fn share_like(plain: &File, packed: &File) {
    use std::os::unix::fs::MetadataExt;

    let Ok(plain) = plain.metadata() else { return };
    if plain.mode() & 0o777 == FILE_MODE && fchown(packed, None, Some(plain.gid())).is_ok() {
        // If that fails, the file stays private.
        let _ = packed.set_permissions(Permissions::from_mode(FILE_MODE));
    }
}

fn unknown(name: &str, what: &str) -> Error {
    let problem = format!("the group `{name}` {what}");
    Error::new(ErrorKind::Group, problem, "make it with `groupadd`, or name a group of `getent group`")
}

fn may_give(number: u32) -> bool {
    let is_member = || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == number));
    geteuid().is_root() || getegid().as_raw() == number || is_member()
}

/// Returns the number of the group `name`.
fn number_of(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut buffer = vec![0; 4 << 10];
    loop {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: the name ends with NUL, the entry and the buffer are writable for the given length, and the call keeps none
        // of them.
        let code = unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match code {
            libc::ERANGE if buffer.len() < MAX_ENTRY_BYTES => buffer.resize(buffer.len() * 4, 0),
            // Some systems say so where the group does not exist.
            0 | libc::ENOENT | libc::ESRCH if found.is_null() => return Ok(None),
            // SAFETY: a result that is not null points to the entry, which the call has filled in.
            0 => return Ok(Some(unsafe { (*found).gr_gid })),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::IoSlice;
    use std::os::unix::fs::MetadataExt;

    use crate::files::DayFiles;

    const MAY_26: i32 = 20_599;

    /// A group other than this process's own, where it may choose.
    fn group() -> Group {
        Group(if geteuid().is_root() { 4 } else { getegid().as_raw() })
    }

    fn of(path: &Path) -> (u32, u32) {
        let there = fs::metadata(path).unwrap();
        (there.mode() & 0o777, there.gid())
    }

    #[test]
    fn a_group_is_found_by_name_and_by_number() {
        assert_eq!(number_of("root").unwrap(), Some(0));
        let own = getegid().as_raw();
        assert_eq!(Group::find(&own.to_string()), Ok(Group(own)));
        for unknown in ["no-such-group", "", "a\0b", "4294967295", "ädm"] {
            let error = Group::find(unknown).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Group, "group"));
            assert!(error.problem().contains("does not exist"), "{error}");
            assert!(error.advice().contains("groupadd"), "{error}");
        }
    }

    #[test]
    fn the_group_reads_what_is_made_and_nothing_that_exists_changes() {
        let dir = tempfile::tempdir().unwrap();
        let before = of(dir.path());
        let log = dir.path().join("a/log");
        let mut files = DayFiles::new(&log).readable_by(Some(group()));
        files.prepare(MAY_26).unwrap();
        let gid = group().0;
        assert_eq!(of(dir.path()), before);
        assert_eq!((of(&dir.path().join("a")), of(&log)), ((0o750, gid), (0o750, gid)));
        let day = log.join("2026-05-26.log");
        assert_eq!(of(&day), (0o640, gid));
        fs::set_permissions(&day, Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&log, Permissions::from_mode(0o700)).unwrap();
        DayFiles::new(&log).readable_by(Some(group())).prepare(MAY_26).unwrap();
        assert_eq!((of(&day).0, of(&log).0), (0o600, 0o700));
        files.begin_day(MAY_26 + 1).unwrap();
        files.append(MAY_26 + 1, &mut [IoSlice::new(b"{}\n")], &mut |_| {}).unwrap();
        assert_eq!(of(&log.join("2026-05-27.log")), (0o640, gid));
    }

    #[cfg(feature = "compress")]
    #[test]
    fn a_compressed_file_keeps_the_group() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, packed) = (dir.path().join("plain"), dir.path().join("packed"));
        for (mode, expected) in [(0o640, 0o640), (0o600, 0o600), (0o644, 0o600)] {
            let file = File::create(&plain).unwrap();
            group().share_file(&file, &plain);
            fs::set_permissions(&plain, Permissions::from_mode(mode)).unwrap();
            let packed_file = File::create(&packed).unwrap();
            fs::set_permissions(&packed, Permissions::from_mode(0o600)).unwrap();
            share_like(&file, &packed_file);
            assert_eq!(of(&packed).0, expected);
            fs::remove_file(&packed).unwrap();
        }
    }

    #[test]
    fn a_user_may_not_name_a_group_of_others() {
        if geteuid().is_root() {
            return;
        }
        let error = Group::find("0").unwrap_err();
        assert!(error.problem().contains("not a member"), "{error}");
    }
}
