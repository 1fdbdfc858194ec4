//! Right to write, asked without a write.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Returns whether this user may write to `path`; `None` where a seccomp profile prevents the question.
pub(crate) fn may_write(path: &Path) -> Option<bool> {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    // The older system call, which profiles from before 2020 allow, checks the real user.
    let is_real_user = || getuid() == geteuid() && getgid() == getegid();
    ask(path, AtFlags::EACCESS).or_else(|| ask(path, AtFlags::empty()).filter(|_| is_real_user()))
}

/// Asks with one of the two system calls. A refusal counts only if the call can report that `path` exists.
fn ask(path: &Path, flags: AtFlags) -> Option<bool> {
    match accessat(CWD, path, Access::WRITE_OK, flags) {
        Ok(()) => Some(true),
        Err(_) => accessat(CWD, path, Access::EXISTS, flags).is_ok().then_some(false),
    }
}
