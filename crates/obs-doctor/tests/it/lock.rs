//! Lock of an open file description, as a process that logs holds it on its hand-over file.

use std::fs::File;
use std::os::fd::AsRawFd as _;

pub(crate) fn lock(file: &File) {
    // SAFETY: a zeroed `flock` is a valid value, and the descriptor is open.
    #[allow(unsafe_code)]
    let locked = unsafe {
        let mut whole: libc::flock = std::mem::zeroed();
        whole.l_type = libc::F_WRLCK as _;
        libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &whole)
    };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
}
