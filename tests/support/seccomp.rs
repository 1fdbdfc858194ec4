//! A seccomp filter that refuses system calls, as a container or a file system does.
#![allow(unsafe_code, reason = "there is no safe interface")]

use std::io;

/// Instructions of a filter.
pub(crate) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Makes the system calls `numbers` fail with `errno`.
    pub(crate) fn refusing(numbers: &[u32], errno: u32) -> Filter {
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
        Filter(steps)
    }

    /// Installs the filter in this thread and in those that it starts. Allocates nothing, so that a forked child may
    /// call it.
    pub(crate) fn install(&mut self) -> io::Result<()> {
        let program = libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_mut_ptr() };
        // SAFETY: `program` and the steps that it points to live until both calls have returned; the kernel copies them.
        let ok = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if ok { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
