//! Real faults under eight threads that log all the time: no panic, no hang, and no line unaccounted for.
//!
//! A child logs. If the test runs as root, the child is a user without privileges, so that permissions count. The test
//! deletes, renames and locks its files. At the end, written and reported dropped lines must be all that were sent, and no
//! line may be there twice. Deleted files are held open, so that their lines count too.

mod children;

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use children::{skip, tell};
use obs_log::{Config, Console, configure, flush, info, stats};

const THREADS: usize = 8;
/// User without privileges.
const UNPRIVILEGED: u32 = 65_534;
/// Time in which the writer notices a fault and tries again.
const A_WHILE: Duration = Duration::from_millis(150);

fn main() {
    let tests: &[(&str, fn())] = &[
        ("files_and_folders_are_removed_renamed_and_locked", removed_renamed_and_locked),
        ("a_disk_of_1_mib_fills_and_empties", fills_and_empties),
        ("lines_wait_in_memory_in_a_folder_of_another_owner", another_owner),
    ];
    children::main(tests, child);
}

fn removed_renamed_and_locked() {
    let bench = Bench::new();
    let child = bench.start();
    let mut held = Vec::new();
    for round in 0..3 {
        let [log, day] = [bench.log(), bench.day_file()];
        // Delete the file.
        held.push(File::open(&day).unwrap());
        fs::remove_file(&day).unwrap();
        let day = bench.day_file();
        // Rename the file.
        held.push(File::open(&day).unwrap());
        fs::rename(&day, log.join(format!("kept-{round}"))).unwrap();
        bench.day_file();
        // Take the permissions of the folder away, and give them back.
        fs::set_permissions(&log, Permissions::from_mode(0o000)).unwrap();
        thread::sleep(A_WHILE);
        fs::set_permissions(&log, Permissions::from_mode(0o700)).unwrap();
        // Rename the folder and remove it.
        let gone = bench.path(&format!("gone-{round}"));
        let day = bench.day_file();
        held.push(File::open(day).unwrap());
        fs::rename(&log, &gone).unwrap();
        bench.day_file();
        fs::remove_dir_all(gone).unwrap();
    }
    let (sent, said) = bench.stop(child);
    held.push(File::open(bench.day_file()).unwrap());
    Balance::of(held.into_iter().map(|mut file| text(&mut file))).check(sent);
    let warnings = said.matches("cannot write").count();
    assert!((1..=12).contains(&warnings), "at most one warning a fault: {said}");
}

/// Bytes that are removed from a full disk to make room.
const BALLAST: usize = 256 << 10;

fn fills_and_empties() {
    let bench = Bench::new();
    let Some(disk) = Mounted::tmpfs(&bench.log()) else {
        return skip("needs the right to mount a tmpfs of 1 MiB");
    };
    own(&bench.log());
    let [ballast, aside] = ["ballast", "aside"].map(|name| bench.log().join(name));
    // Before there are lines, which would take its room otherwise.
    fs::write(&ballast, vec![0; BALLAST]).unwrap();
    let child = bench.start();
    let mut texts = Vec::new();
    for _round in 0..5 {
        bench.wait_for("full disk", || free(&bench.log()) < 16 << 10);
        thread::sleep(A_WHILE);
        let day = bench.day_file();
        fs::rename(&day, &aside).unwrap();
        // Wait for the new file. Until then the writer may still write to the old one and take all the room.
        bench.wait_for("a new file for the day", || day.exists());
        fs::remove_file(&ballast).unwrap();
        bench.day_file();
        let mut old = File::options().read(true).write(true).open(&aside).unwrap();
        texts.push(text(&mut old));
        // The rest of it is the next ballast.
        old.set_len(BALLAST as u64).unwrap();
        fs::rename(&aside, &ballast).unwrap();
    }
    // The lines that wait take more room as text than they do in the queue.
    disk.grow();
    let (sent, said) = bench.stop(child);
    texts.push(text(&mut File::open(bench.day_file()).unwrap()));
    Balance::of(texts).check(sent);
    assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
    assert!(said.contains("crash_safe false"), "{said}");
}

/// The user may write the day's file, and no other one in the folder.
fn another_owner() {
    let bench = Bench::new();
    let log = bench.log();
    if !is_root(&log) {
        return skip("files of two users need root");
    }
    // The files of today and, in case midnight passes, of tomorrow.
    for day in 0..2 {
        let seconds = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + day * 86_400;
        let day = chrono::DateTime::from_timestamp(seconds as i64, 0).unwrap().format("%Y-%m-%d.log");
        let path = log.join(day.to_string());
        fs::write(&path, "").unwrap();
        own(&path);
    }
    chown(&log, Some(0), Some(0)).unwrap();
    fs::set_permissions(&log, Permissions::from_mode(0o755)).unwrap();
    let child = bench.start();
    thread::sleep(A_WHILE);
    let (sent, said) = bench.stop(child);
    let files =
        fs::read_dir(&log).unwrap().map(|entry| text(&mut File::open(entry.unwrap().path()).unwrap()));
    Balance::of(files).check(sent);
    assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
    assert!(said.contains("crash_safe false"), "{said}");
}

/// Folders of one run.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Bench {
        let bench = Bench(tempfile::tempdir().unwrap());
        fs::set_permissions(bench.0.path(), Permissions::from_mode(0o755)).unwrap();
        own(bench.0.path());
        fs::create_dir(bench.log()).unwrap();
        own(&bench.log());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("log")
    }

    fn start(&self) -> Child {
        // The other user may have no access to the folder of this program.
        let program = self.path("child");
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        let mut command = children::as_child(Command::new(program), "log", self.0.path());
        command.stdout(Stdio::null());
        if is_root(self.0.path()) {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        let child = Child(Some(command.spawn().unwrap()));
        self.wait_for("a line", || {
            day_file(&self.log()).is_some_and(|day| day.metadata().unwrap().len() > 0)
        });
        child
    }

    /// Returns the day's file once it exists and has lines.
    fn day_file(&self) -> PathBuf {
        let mut found = None;
        self.wait_for("the day's file", || {
            found = day_file(&self.log());
            found.is_some()
        });
        found.unwrap()
    }

    fn wait_for(&self, what: &str, there: impl FnMut() -> bool) {
        children::wait_until(&format!("{what} in {}", self.log().display()), there);
    }

    /// Ends the child. Returns the number of lines that it has sent, and its text on stderr.
    fn stop(&self, mut child: Child) -> (u64, String) {
        fs::write(self.path("stop"), "").unwrap();
        let output = child.0.take().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{} {said}", output.status);
        let sent = fs::read_to_string(self.path("sent")).unwrap().parse().unwrap();
        (sent, said)
    }
}

/// Child that does not outlive a test that fails.
struct Child(Option<std::process::Child>);

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_root(path: &Path) -> bool {
    path.metadata().unwrap().uid() == 0 || chown(path, Some(0), None).is_ok_and(|()| own(path))
}

/// Gives a file to the child's user if possible.
fn own(path: &Path) -> bool {
    chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).is_ok()
}

/// Returns the day file that has lines.
fn day_file(log: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(log).ok()?.flatten().map(|entry| entry.path());
    paths.find(|path| {
        let is_day = path.extension().is_some_and(|extension| extension == "log");
        is_day && path.metadata().is_ok_and(|there| there.len() > 0)
    })
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

fn free(folder: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().trim().parse().unwrap()
}

/// Numbers of lines that are accounted for.
struct Balance {
    written: u64,
    dropped: u64,
}

impl Balance {
    fn of(files: impl IntoIterator<Item = String>) -> Balance {
        let mut seen = HashSet::new();
        let mut dropped = 0;
        for text in files {
            assert!(text.is_empty() || text.ends_with('\n'), "torn: {:?}", text.lines().last());
            for line in text.lines() {
                let line: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                match line["dropped"].as_u64() {
                    Some(count) => dropped += count,
                    None => {
                        assert!(seen.insert((line["thread"].as_u64(), line["at"].as_u64())), "twice: {line}")
                    }
                }
            }
        }
        Balance { written: seen.len() as u64, dropped }
    }

    fn check(&self, sent: u64) {
        let Balance { written, dropped } = self;
        tell(&format!("written {written} + reported dropped {dropped} = sent {sent}"));
        assert_eq!(written + dropped, sent);
    }
}

struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path) -> Option<Mounted> {
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        done.is_ok_and(|done| done.status.success()).then(|| Mounted(at.to_owned()))
    }

    fn grow(&self) {
        let done = Command::new("mount").args(["-o", "remount,size=16m"]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn child(_: &str, base: &Path) {
    let config = Config::new(base.join("log")).console(Console::Off).queue_bytes(1 << 20);
    let guard = configure(&config.max_wait(Duration::from_millis(20))).unwrap();
    let _ = writeln!(io::stderr(), "crash_safe {}", stats().crash_safe);
    let stop = base.join("stop");
    let sent: u64 = thread::scope(|scope| {
        let log_lines = |thread: usize| {
            let mut at = 0_u64;
            while !stop.exists() {
                for _ in 0..10 {
                    info!(thread, at; "through it all");
                    at += 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            at
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || log_lines(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(flush(Duration::from_secs(30)), "no recovery");
    let mut file = File::create(base.join("sent")).unwrap();
    write!(file, "{sent}").unwrap();
    drop(guard);
}
