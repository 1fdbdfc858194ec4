//! Repairs and writes that the file system refuses: attributes of the day file, a file system that becomes read-only.
//!
//! The test mounts a file system of its own, because not every one has attributes.
#![cfg(target_os = "linux")]

mod children;

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use children::{PATIENCE, day_files, skip, tell};
use obs_log::{Config, Console, configure, flush, info, stats};

/// Number of lines that a child logs for a request.
const LINES: usize = 10;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("a_torn_line_in_a_file_that_may_only_grow_is_ended", append_only),
        ("a_torn_write_to_a_file_that_may_only_grow_loses_no_line", append_only_and_full),
        ("lines_go_to_the_next_part_when_a_file_becomes_immutable", immutable),
        ("lines_go_to_the_next_part_when_a_file_is_immutable_at_the_start", immutable_before),
        ("lines_go_to_the_next_part_when_a_file_belongs_to_another_user", of_another_user),
        ("a_folder_that_may_only_grow_gets_no_pile_of_files", append_only_folder),
        ("an_immutable_folder_is_an_error_with_advice", immutable_folder),
        ("a_file_system_that_becomes_read_only_makes_lines_wait", read_only),
    ];
    children::main(tests, child);
}

fn append_only() {
    let Some(disk) = Disk::mount() else { return };
    let log = Logging::start(disk.path());
    log.end();
    let day = day_file(disk.path());
    let whole = fs::read_to_string(&day).unwrap();
    for fragment in ["{\"ts\":\"2026-", "{", "no line of this crate"] {
        OpenOptions::new().append(true).open(&day).unwrap().write_all(fragment.as_bytes()).unwrap();
        let before = fs::read_to_string(&day).unwrap();
        chattr("+a", &day);
        let mut log = Logging::start(disk.path());
        let torn = u64::from(fragment.starts_with('{'));
        assert_eq!(log.log(), format!("written {LINES} errors 0 torn {torn}"));
        let said = log.end();
        assert!(!said.contains("cannot write"), "{said}");
        chattr("-a", &day);
        let text = fs::read_to_string(&day).unwrap();
        let added = text.strip_prefix(&format!("{before}\n")).expect("the fragment is ended");
        check_lines(added, LINES);
        fs::write(&day, &whole).unwrap();
    }
}

/// A full disk interrupts a write, and the file cannot be cut back.
fn append_only_and_full() {
    let Some(disk) = Disk::mount() else { return };
    let mut log = Logging::start(disk.path());
    log.log();
    let day = day_file(disk.path());
    chattr("+a", &day);
    let ballast = disk.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    let mut before = fs::metadata(&day).unwrap().len();
    let deadline = Instant::now() + PATIENCE;
    // Lines fit into the last block for a while, and then no more.
    loop {
        log.ask("log");
        let now = fs::metadata(&day).unwrap().len();
        if now == before {
            break;
        }
        assert!(Instant::now() < deadline);
        before = now;
    }
    drop(file);
    fs::remove_file(&ballast).unwrap();
    assert!(log.ask("flush").starts_with("flushed true"));
    let asked = log.asked;
    log.end();
    chattr("-a", &day);
    let text = fs::read_to_string(&day).unwrap();
    let whole: Vec<_> = text.lines().filter(|line| line.ends_with('}')).collect();
    check_lines(&whole.join("\n"), asked * LINES);
    assert!(text.lines().count() <= whole.len() + 1, "one fragment at most");
}

fn immutable() {
    let Some(disk) = Disk::mount() else { return };
    let mut log = Logging::start(disk.path());
    log.log();
    let day = day_file(disk.path());
    chattr("+i", &day);
    assert_eq!(log.log(), format!("written {} errors 0 torn 0", 2 * LINES));
    let said = log.end();
    assert_eq!(said.matches("lines go to").count(), 1, "{said}");
    assert!(!said.contains("wait in the queue"), "{said}");
    chattr("-i", &day);
    check_lines(&fs::read_to_string(&day).unwrap(), LINES);
    check_lines(&all_parts(disk.path()), 2 * LINES);
}

fn immutable_before() {
    let Some(disk) = Disk::mount() else { return };
    Logging::start(disk.path()).end();
    let day = day_file(disk.path());
    fs::write(&day, "{\"ts\":\"2026-").unwrap();
    chattr("+i", &day);
    for start in 1..3 {
        let mut log = Logging::start(disk.path());
        assert_eq!(log.log(), format!("written {LINES} errors 0 torn 0"));
        let said = log.end();
        // The second start finds the part of the first.
        assert_eq!(said.matches("lines go to").count(), usize::from(start == 1), "{said}");
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 3, "with lost+found");
    }
    chattr("-i", &day);
    assert_eq!(fs::read_to_string(&day).unwrap(), "{\"ts\":\"2026-");
}

/// The log was started as root before.
fn of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    Logging::start(folder.path()).end();
    let day = day_file(folder.path());
    let user = Some(65_534);
    if std::os::unix::fs::chown(folder.path(), user, user).is_err() {
        return skip("needs root");
    }
    let mut command = Logging::command(folder.path());
    command.uid(65_534).gid(65_534);
    // The program itself may lie where only root reads.
    let Some(mut log) = Logging::try_spawn(command) else { return skip("another user cannot run this test") };
    assert_eq!(log.log(), format!("written {LINES} errors 0 torn 0"));
    let said = log.end();
    assert_eq!(said.matches("lines go to").count(), 1, "{said}");
    assert_eq!(fs::read_to_string(&day).unwrap(), "");
    check_lines(&all_parts(folder.path()), LINES);
}

fn append_only_folder() {
    let Some(disk) = Disk::mount() else { return };
    let folder = disk.path().join("log");
    fs::create_dir(&folder).unwrap();
    // A kill has left lines.
    let mut log = Logging::start(&folder);
    log.ask("log");
    log.kill();
    chattr("+a", &folder);
    for start in 1..4 {
        let mut log = Logging::start(&folder);
        assert!(log.log().starts_with(&format!("written {LINES} errors 0")));
        let said = log.end();
        assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
        assert!(said.contains("no file can be removed from it"), "{said}");
        assert_eq!(
            all_parts(&folder).lines().count(),
            (start + 1) * LINES,
            "the lines of the killed process are written once"
        );
        assert!(fs::read_dir(&folder).unwrap().count() <= 2);
    }
    chattr("-a", &folder);
    Logging::start(&folder).end();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the day file");
}

fn immutable_folder() {
    let Some(disk) = Disk::mount() else { return };
    chattr("+i", disk.path());
    let mut child = Logging::command(disk.path()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let failed = !child.wait().unwrap().success();
    chattr("-i", disk.path());
    assert!(failed && said.contains("chattr -i"), "{said}");
}

fn read_only() {
    let Some(disk) = Disk::mount() else { return };
    let mut log = Logging::start(disk.path());
    log.log();
    // As after an error of the disk, which does not wait for files that are open for writing.
    if !run("mount", &["-o", "remount,abort", disk.path().to_str().unwrap()]) {
        return skip("this kernel cannot simulate an error of the disk");
    }
    assert!(log.ask("log").starts_with(&format!("written {LINES} ")));
    let said = log.end();
    assert_eq!(said.matches("cannot write").count(), 1, "{said}");
    assert!(said.contains(&format!("{LINES} lines are")), "{said}");
    check_lines(&fs::read_to_string(day_file(disk.path())).unwrap(), LINES);
}

/// Mounted file system of 16 MiB in a file.
struct Disk {
    at: PathBuf,
    _dir: tempfile::TempDir,
}

impl Disk {
    /// Returns `None`, with the reason on stderr, if that is not possible.
    fn mount() -> Option<Disk> {
        let dir = tempfile::tempdir().unwrap();
        let [image, path] = ["image", "log"].map(|name| dir.path().join(name));
        fs::create_dir(&path).unwrap();
        let disk = Disk { at: path.clone(), _dir: dir };
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let [image, at] = [&image, &path].map(|path| path.to_str().unwrap());
        let probe = path.join("probe");
        let done = run("mkfs.ext4", &["-q", "-F", "-m", "0", image])
            && run("mount", &["-o", "loop,errors=remount-ro", image, at])
            && fs::write(&probe, "").is_ok()
            && run("chattr", &["+a", probe.to_str().unwrap()])
            && run("chattr", &["-a", probe.to_str().unwrap()])
            && fs::remove_file(&probe).is_ok();
        if !done {
            skip("needs the right to mount an ext4 file system and to set attributes");
        }
        done.then_some(disk)
    }

    fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.path().to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

fn chattr(change: &str, file: &Path) {
    assert!(run("chattr", &[change, file.to_str().unwrap()]));
}

/// Returns the first day file.
fn day_file(folder: &Path) -> PathBuf {
    day_files(folder).remove(0)
}

/// Returns the text of all parts of the day, in order.
fn all_parts(folder: &Path) -> String {
    day_files(folder).iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Checks that these are the lines 0 to `count`, in order.
fn check_lines(text: &str, count: usize) {
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let numbers: Vec<_> = lines.filter_map(|line| line["at"].as_u64()).collect();
    assert_eq!(numbers, (0..count as u64).collect::<Vec<_>>());
}

/// Child that logs on request.
struct Logging {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    asked: usize,
}

impl Logging {
    fn start(folder: &Path) -> Logging {
        Logging::try_spawn(Logging::command(folder)).unwrap()
    }

    fn command(folder: &Path) -> Command {
        let mut command = children::command("log", folder);
        command.stdin(Stdio::piped());
        command
    }

    fn try_spawn(mut command: Command) -> Option<Logging> {
        let mut child = command.spawn().ok()?;
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Logging { child, answers, asked: 0 })
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ask(&mut self, what: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        self.asked += usize::from(what == "log");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// Has lines logged, which must be written.
    fn log(&mut self) -> String {
        self.ask("log");
        self.ask("flush").strip_prefix("flushed true ").expect("written").to_owned()
    }

    /// Ends the child. Returns its text on stderr.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Logs as the words on stdin ask for, and answers each with the numbers of lines.
fn child(_: &str, folder: &Path) {
    let config = Config::new(folder).console(Console::Off).queue_bytes(1 << 20);
    let _guard = configure(&config.max_wait(Duration::from_secs(20))).unwrap();
    let mut at = 0;
    for word in io::stdin().lines() {
        match word.unwrap().as_str() {
            "log" => {
                for _ in 0..LINES {
                    info!(at; "line");
                    at += 1;
                }
                let errors = stats().write_errors;
                let deadline = Instant::now() + Duration::from_secs(1);
                while !flush(Duration::from_millis(20))
                    && stats().write_errors < errors + 2
                    && Instant::now() < deadline
                {
                    thread::yield_now();
                }
                tell(&figures());
            }
            _ => tell(&format!("flushed {} {}", flush(PATIENCE), figures())),
        }
    }
}

fn figures() -> String {
    let stats = stats();
    format!("written {} errors {} torn {}", stats.written, stats.write_errors, stats.torn)
}
