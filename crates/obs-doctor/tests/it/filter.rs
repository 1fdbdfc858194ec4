//! A seccomp filter as a container has one, and users that are not root, each for one thread.
#![allow(unsafe_code, reason = "neither has a safe interface")]

use std::io;

/// Makes the system calls `numbers` fail with `errno`, in this thread and in those that it starts.
pub(crate) fn refuse(numbers: &[u32], errno: u32) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUALS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut steps = vec![step(LOAD, 0, 0)];
    for &number in numbers {
        steps.push(step(EQUALS, 1, number));
        steps.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | errno));
    }
    steps.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: `program` and the steps that it points to live until both calls have returned; the kernel copies them.
    let ok = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if ok { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Runs `body` in a thread whose user is `uid`, which its sockets then belong to.
pub(crate) fn as_user<T: Send + 'static>(uid: u32, body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        // SAFETY: the bare system call changes the user of the calling thread alone, which ends after `body`.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        assert_eq!(changed, 0, "{}", io::Error::last_os_error());
        body()
    });
    thread.join().unwrap()
}
