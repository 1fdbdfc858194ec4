//! System calls that a seccomp profile refuses.

use std::io;

use rustix::io::Errno;

/// Returns whether `err` may come from a seccomp profile instead of the kernel: `EPERM`, or `ENOSYS`, which also stands
/// for a system call that the kernel lacks.
pub(crate) fn is_filtered(err: &io::Error) -> bool {
    matches!(Errno::from_io_error(err), Some(Errno::PERM | Errno::NOSYS))
}
