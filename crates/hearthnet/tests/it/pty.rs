//! Terminal for the command, with typed input.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Runs `command` at a terminal of `columns` with `answer` typed. Returns its output and its exit code.
pub(crate) fn run(mut command: Command, columns: u16, answer: &str) -> (String, Option<i32>) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let end = |file: &File| Stdio::from(OwnedFd::from(file.try_clone().unwrap()));
    command.stdin(end(&theirs)).stdout(end(&theirs)).stderr(end(&theirs));
    let mut ours = File::from(ours);
    ours.write_all(answer.as_bytes()).unwrap();
    let mut child = command.spawn().unwrap();
    drop((command, theirs));
    let mut shown = Vec::new();
    // Reading fails once the last process at the other end is gone.
    let _ = ours.read_to_end(&mut shown);
    (String::from_utf8(shown).unwrap().replace("\r\n", "\n"), child.wait().unwrap().code())
}
