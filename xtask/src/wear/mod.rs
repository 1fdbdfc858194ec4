//! `cargo xtask wear`: bytes that a node makes its disk write, beside a plain append of the same lines.
//!
//! Two file systems, each on a loop device of its own, are mounted with the same options. A node with everything on keeps its
//! files on the first. Each line of its log is appended to a file on the second at the same time. The sectors that both devices
//! wrote are in `/sys/block`.

mod blocks;
mod device;
mod node;
mod plain;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use self::blocks::Blocks;
use self::device::Device;
use self::node::{Home, Node};
use self::plain::Plain;
use self::table::Table;
use crate::{Done, cargo, say};

/// Tools that the measurement runs, and the package of Debian that has each.
const TOOLS: [(&str, &str, &str); 6] = [
    ("mkfs.ext4", "-V", "e2fsprogs"),
    ("filefrag", "-V", "e2fsprogs"),
    ("debugfs", "-V", "e2fsprogs"),
    ("losetup", "-V", "mount"),
    ("mount", "-V", "mount"),
    ("sync", "--version", "coreutils"),
];

/// Time between two rows of the table.
const ROW: Duration = Duration::from_secs(60);
/// Time between two looks at where the files are. A file may be removed soon after it was written.
const LOOK: Duration = Duration::from_secs(10);
/// A failing call for this many calls, so that there are problems.
const FAILING: u64 = 60;
/// Largest ratio that is allowed.
const LIMIT: f64 = 1.5;

pub(crate) struct Options {
    seconds: u64,
    commit_seconds: u64,
    /// Folder of the two images.
    folder: PathBuf,
    binary: Option<PathBuf>,
    /// Whether the node's own files are measured too.
    is_whole: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        // Images in memory keep the load of the machine's own disk out of the measurement.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let mut options = Options { seconds: 600, commit_seconds: 5, folder, binary: None, is_whole: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("seconds") => options.seconds = args.value()?.parse()?,
                Long("commit") => options.commit_seconds = args.value()?.parse()?,
                Long("folder") => options.folder = args.value()?.into(),
                Long("whole") => options.is_whole = true,
                Long("binary") => options.binary = Some(args.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        if options.seconds == 0 || options.commit_seconds == 0 {
            return Err("--seconds and --commit need at least 1".into());
        }
        Ok(options)
    }
}

/// Measures. Fails if the node's disk writes more than the limit allows.
pub(crate) fn run(options: &Options) -> Done {
    check_tools()?;
    let binary = match &options.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => cargo::build_binaries(&["hearthnet"])?.remove(0),
    };
    let [ours, other] =
        ["node", "plain"].map(|name| Device::new(&options.folder, name, options.commit_seconds));
    let (ours, other) = (ours?, other?);
    let elsewhere = Scratch::new(&options.folder)?;
    let observed = ours.mounted().to_owned();
    let own = if options.is_whole { observed.clone() } else { elsewhere.0.clone() };
    let home = Home { own, observed };
    Node::init(&binary, &home)?;
    ours.sync()?;
    let mut blocks = Blocks::watch(&ours);
    let mut table = Table::new(ours.written()?, other.written()?);
    let node = Node::start(&binary, home)?;
    let mut plain = Plain::new(node.log(), other.mounted().to_owned());
    say(&table::head(options.seconds, options.commit_seconds));
    let begin = Instant::now();
    let (mut next_look, mut next_row) = (LOOK, ROW);
    for number in 0..options.seconds {
        let due = begin + Duration::from_secs(number);
        // In steps, because the plain append follows the node's.
        while Instant::now() < due {
            plain.follow()?;
            sleep(Duration::from_millis(50).min(due.saturating_duration_since(Instant::now())));
        }
        node.call(number % FAILING == FAILING / 2)?;
        if begin.elapsed() >= next_look {
            next_look += LOOK;
            blocks.look(&ours);
        }
        if begin.elapsed() >= next_row {
            next_row += ROW;
            say(&table.row(begin.elapsed(), ours.written()?, other.written()?, plain.bytes()));
        }
    }
    // The last line of a call is written a moment after its answer.
    sleep(Duration::from_secs(1));
    plain.follow()?;
    blocks.look(&ours);
    ours.sync()?;
    other.sync()?;
    say(&table.row(begin.elapsed(), ours.written()?, other.written()?, plain.bytes()));
    let ratio = table.ratio();
    blocks.look(&ours);
    say(&blocks.text(&ours));
    let before_end = ours.written()?;
    node.stop()?;
    ours.sync()?;
    say(&table::end(ours.written()? - before_end, &table, plain.lines(), LIMIT));
    Ok(ratio <= LIMIT)
}

/// Folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path) -> Result<Scratch, String> {
        let path = folder.join(format!("obs-wear-{}-own", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Checks that the measurement can run, and says all that is missing.
fn check_tools() -> Result<(), String> {
    let mut missing = Vec::new();
    // The owner of a process's folder is its effective user.
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    if !is_root {
        missing.push("root: loop devices and mounts need it".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        missing.push("/dev/loop-control: the kernel's module loop".to_owned());
    }
    for (tool, option, package) in TOOLS {
        let runs = Command::new(tool).arg(option).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if runs.is_err() {
            missing.push(format!("{tool}: package {package}"));
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("wear cannot be measured here; missing:\n  {}", missing.join("\n  "))),
    }
}

/// Runs a command to its end. Returns its output.
fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let done = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => {
            Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim()))
        }
    }
}
