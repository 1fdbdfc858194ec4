//! `cargo xtask sanitize`: code that is unsafe or runs on several threads at once, where a mistake in it shows.
//!
//! - `models`: loom runs the hand-over of obs-log, the cells of obs-metrics, and the slots and shards of obs-trace in every
//!   order in which their threads can run;
//! - `address`: the tests of obs-log with AddressSanitizer;
//! - `miri`: those that need no operating system to speak of, under Miri.
//!
//! The first two take no more than a stable toolchain, so CI runs them. Miri takes a nightly one, which is not installed
//! unasked: `rustup toolchain install nightly --component miri,rust-src`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::steps::{self, Step, Verdict, passes, there_is};
use crate::{Done, cargo};

pub(crate) const MODELS: Step = ("models", models);
pub(crate) const ADDRESS: Step = ("address", address);
const MIRI: Step = ("miri", miri);

/// Tests that need memory, locks and threads alone.
const UNDER_MIRI: [&str; 2] = ["journal::arena::", "queue::"];
/// All but those that count allocations or measure memory, and the one that kills for half a minute.
const WITH_ADDRESSES: [&str; 6] =
    ["--lib", "--test=it", "--test=configure", "--test=exit", "--test=panic_hook", "--test=faults"];

pub(crate) fn run() -> Done {
    Ok(steps::run([MODELS, ADDRESS, MIRI].into_iter(), true))
}

fn models() -> Verdict {
    let mut test = cargo::command();
    let packages = ["obs-log", "obs-metrics", "obs-trace"].map(|package| ["--package", package]);
    test.arg("test").args(packages.concat()).args(["--lib", "--", "models::"]);
    passes(apart(&mut test, "models").env("RUSTFLAGS", "--cfg obs_loom"))
}

/// With the stable compiler, which has the sanitizer and only has to be told that it may be used: nothing that is built
/// here is ever given to anybody.
fn address() -> Verdict {
    let host = match rustc(&["--print", "host-tuple"]) {
        Ok(host) => host,
        Err(error) => return Verdict::Failed(error),
    };
    if !has_sanitizer(&host) {
        return Verdict::PassedBut(format!("this toolchain has no AddressSanitizer for {host}"));
    }
    let mut test = cargo::command();
    // `--target` keeps it out of build scripts and procedural macros.
    test.args(["test", "--package", "obs-log", "--all-features", "--target", &host]).args(WITH_ADDRESSES);
    apart(&mut test, "address").env("RUSTFLAGS", "-Zsanitizer=address").env("RUSTC_BOOTSTRAP", "1");
    // A forked child has not the threads of its parent, so what these hold looks lost to it.
    passes(test.env("ASAN_OPTIONS", "detect_leaks=0"))
}

fn miri() -> Verdict {
    if !there_is(nightly().args(["miri", "--version"])) {
        let how = "needs `rustup toolchain install nightly --component miri,rust-src`";
        return Verdict::ToolMissing(how.to_owned());
    }
    let mut test = nightly();
    test.args(["miri", "test", "--package", "obs-log", "--lib", "--"]).args(UNDER_MIRI);
    // The tests ask what time it is.
    passes(apart(&mut test, "miri").env("MIRIFLAGS", "-Zmiri-disable-isolation"))
}

/// What is built in another way does not mix with what others build; and nobody debugs it.
fn apart<'a>(command: &'a mut Command, name: &str) -> &'a mut Command {
    command.env("CARGO_TARGET_DIR", cargo::root().join("target").join(name)).env("CARGO_INCREMENTAL", "0")
}

/// Whether the compiler has the sanitizer's runtime.
fn has_sanitizer(host: &str) -> bool {
    let libraries =
        |sysroot: String| fs::read_dir(Path::new(&sysroot).join("lib/rustlib").join(host).join("lib"));
    rustc(&["--print", "sysroot"]).ok().and_then(|sysroot| libraries(sysroot).ok()).is_some_and(|libraries| {
        let mut names = libraries.flatten().map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().contains("_rt.asan."))
    })
}

/// What the compiler of this task says.
fn rustc(args: &[&str]) -> Result<String, String> {
    let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let output = Command::new(rustc).args(args).output();
    let output = output.map_err(|err| format!("rustc could not be started: {err}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Cargo by the name that rustup knows, because a cargo that runs us has already chosen its toolchain.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command
}
