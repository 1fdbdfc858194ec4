//! A seccomp filter such as a container has, and other users, each for one thread.
#![allow(unsafe_code, reason = "neither has a safe interface")]

use std::io;

#[path = "../../../../tests/support/seccomp.rs"]
mod seccomp;

/// Makes the system calls `numbers` fail with `errno`, in this thread and in threads that it starts.
pub(crate) fn refuse(numbers: &[u32], errno: u32) -> io::Result<()> {
    seccomp::Filter::refusing(numbers, errno).install()
}

/// Runs `body` in a thread of the user `uid`, who then owns its sockets.
pub(crate) fn as_user<T: Send + 'static>(uid: u32, body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        // SAFETY: the raw system call changes the user of the calling thread only, which ends after `body`.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        assert_eq!(changed, 0, "{}", io::Error::last_os_error());
        body()
    });
    thread.join().unwrap()
}
