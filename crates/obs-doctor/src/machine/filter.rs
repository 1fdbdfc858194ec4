//! System calls that a security profile refuses.

use std::io;

use rustix::io::Errno;

/// Whether `err` is what a seccomp profile answers in the place of the kernel: `EPERM`, or `ENOSYS` as of a system
/// call that the kernel does not have.
pub(crate) fn is_filtered(err: &io::Error) -> bool {
    matches!(Errno::from_io_error(err), Some(Errno::PERM | Errno::NOSYS))
}
