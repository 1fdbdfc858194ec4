//! Terminal for the command, with typed input.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Time for what a test waits for. It is never reached unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `command` at a terminal of `columns` with `answer` typed. Returns its output and its exit code.
pub(crate) fn run(command: Command, columns: u16, answer: &str) -> (String, Option<i32>) {
    let mut session = Session::start(command, (columns, 24));
    session.press(answer);
    let ended = session.end();
    (ended.output.replace("\r\n", "\n"), ended.code)
}

/// Command that runs at a terminal. Dropping it ends the command.
pub(crate) struct Session {
    terminal: Option<File>,
    /// The command's end of the terminal, kept open so that its mode can be read afterwards.
    theirs: File,
    child: Child,
    size: (u16, u16),
    output: Vec<u8>,
}

/// State of a terminal after its command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) output: String,
    pub(crate) code: Option<i32>,
    /// Whether the terminal edits lines and shows what is typed.
    pub(crate) is_cooked: bool,
}

/// Returns the command with the signals of a terminal. Tests may themselves run with SIGHUP ignored, as under `nohup`, and
/// what is ignored at the start stays ignored.
fn with_default_signals(command: &Command) -> Command {
    let mut with = Command::new("env");
    with.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with.env(name, value),
            None => with.env_remove(name),
        };
    }
    with
}

impl Session {
    /// Runs `command` at a terminal of so many columns and rows.
    pub(crate) fn start(command: Command, size: (u16, u16)) -> Session {
        let (columns, rows) = size;
        let mut command = with_default_signals(&command);
        // A child that inherits this end would keep the terminal open.
        #[cfg(target_os = "linux")]
        let private = OpenptFlags::CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let private = OpenptFlags::empty();
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | private).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        tcsetwinsize(&theirs, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let end = |file: &File| Stdio::from(OwnedFd::from(file.try_clone().unwrap()));
        command.stdin(end(&theirs)).stdout(end(&theirs)).stderr(end(&theirs));
        let child = command.spawn().unwrap();
        Session { terminal: Some(File::from(ours)), theirs, child, size, output: Vec::new() }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows `text`, and returns all of its text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait(text, |session| Some(session.screen()).filter(|screen| screen.contains(text)))
    }

    /// Waits until `sequence` has been written so many times.
    pub(crate) fn wait_for_output(&mut self, sequence: &str, times: usize) {
        self.wait(sequence, |session| (session.output().matches(sequence).count() >= times).then_some(()));
    }

    /// Continues the command, which stops at some time soon, until `sequence` has been written so many times.
    pub(crate) fn continue_until(&mut self, sequence: &str, times: usize) {
        self.wait(sequence, |session| {
            session.signal("CONT");
            (session.output().matches(sequence).count() >= times).then_some(())
        });
    }

    fn wait<T>(&mut self, what: &str, find: impl Fn(&Session) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            let is_late = begun.elapsed() > PATIENCE;
            assert!(!is_late && ended.is_none(), "no {what:?} on\n{}\n{ended:?}", self.screen());
            self.read();
        }
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Returns the text that the terminal shows.
    fn screen(&self) -> String {
        let (columns, rows) = (usize::from(self.size.0), usize::from(self.size.1));
        let blank = vec![vec![' '; columns]; rows];
        let (mut screen, mut row, mut column) = (blank.clone(), 0, 0);
        let output = self.output();
        let mut rest = output.chars();
        while let Some(letter) = rest.next() {
            match letter {
                '\r' => column = 0,
                '\n' => row += 1,
                '\u{1b}' => {
                    let mut sequence = String::new();
                    for letter in rest.by_ref().skip(1) {
                        sequence.push(letter);
                        if letter.is_ascii_alphabetic() {
                            break;
                        }
                    }
                    match sequence.strip_suffix('H').and_then(|place| place.split_once(';')) {
                        Some((y, x)) => {
                            (row, column) = (y.parse().unwrap_or(1) - 1, x.parse().unwrap_or(1) - 1)
                        }
                        None if sequence == "2J" || sequence.starts_with("?1049") => screen = blank.clone(),
                        None => {}
                    }
                }
                letter => {
                    if let Some(cell) = screen.get_mut(row).and_then(|row| row.get_mut(column)) {
                        *cell = letter;
                    }
                    column += 1;
                }
            }
        }
        let lines = screen.iter().map(|row| row.iter().collect::<String>());
        lines.map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// Sends `signal` to the command. The name is one of `kill`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Closes the terminal, as when its window is closed.
    pub(crate) fn hang_up(&mut self) {
        self.terminal = None;
    }

    /// Waits for the end of the command.
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            self.read();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {:?}", self.output());
        };
        // What it wrote at its end is still in the terminal.
        while self.read() {}
        let cooked = LocalModes::ICANON | LocalModes::ECHO;
        let modes = tcgetattr(&self.theirs).map(|modes| modes.local_modes);
        Ended {
            output: self.output(),
            code: status.code(),
            is_cooked: modes.is_ok_and(|modes| modes.contains(cooked)),
        }
    }

    /// Reads what arrives within a moment. Returns whether anything did.
    fn read(&mut self) -> bool {
        const MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let Some(terminal) = &mut self.terminal else {
            std::thread::sleep(Duration::from_millis(20));
            return false;
        };
        if poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&MOMENT)) != Ok(1) {
            return false;
        }
        let mut bytes = [0; 16 << 10];
        let length = terminal.read(&mut bytes).unwrap_or(0);
        self.output.extend_from_slice(&bytes[..length]);
        length > 0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
