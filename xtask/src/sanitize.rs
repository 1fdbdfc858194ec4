//! `cargo xtask sanitize`: checks of unsafe and concurrent code.
//!
//! - `models`: loom runs the models of obs-log's hand-over, obs-metrics' cells, obs-trace's slots and shards, and
//!   obs-tracing's slots in every order of their threads.
//! - `address`: runs tests of obs-log, obs-tracing, obs-history and obs-trace with AddressSanitizer.
//! - `address-node`: runs the tests of the command that send it signals, or limit it, with AddressSanitizer.
//! - `miri`: runs the tests that need no operating system under Miri.
//!
//! The first three need a stable toolchain only. CI runs the first two: for the third it would build the whole node once
//! more. Miri needs a nightly one, which the task does not install by itself: `rustup toolchain install nightly --component
//! miri,rust-src`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::steps::{self, Step, Verdict, both, passes, there_is};
use crate::{Done, cargo};

pub(crate) const MODELS: Step = ("models", models);
pub(crate) const ADDRESS: Step = ("address", address);
const ADDRESS_NODE: Step = ("address-node", address_node);
const MIRI: Step = ("miri", miri);

/// Modules whose tests need memory, locks and threads only.
const UNDER_MIRI: [&str; 2] = ["journal::tests::", "queue::"];
/// Test targets for AddressSanitizer: all except those that count allocations, measure or limit memory, or refuse system
/// calls of the sanitizer, and the one that kills processes for half a minute.
const WITH_ADDRESSES: [&str; 9] = [
    "--lib",
    "--test=it",
    "--test=configure",
    "--test=exceptions",
    "--test=exit",
    "--test=panic_hook",
    "--test=faults",
    "--test=refused",
    "--test=signals",
];

/// Test target and tests of the command that need signals. The sanitizer itself needs more memory than those with a limit have.
const WITH_SIGNALS: [&str; 6] =
    ["--test=it", "--", "end::", "limits::a_limit_on_file_sizes", "log_search::a_pager", "service::a_hangup"];

pub(crate) fn run() -> Done {
    Ok(steps::run([MODELS, ADDRESS, ADDRESS_NODE, MIRI].into_iter(), true))
}

fn models() -> Verdict {
    let mut test = cargo::command();
    let packages =
        ["obs-log", "obs-metrics", "obs-trace", "obs-tracing"].map(|package| ["--package", package]);
    test.arg("test").args(packages.concat()).args(["--lib", "--", "models::"]);
    passes(apart(&mut test, "models").env("RUSTFLAGS", "--cfg obs_loom"))
}

/// Runs the tests with AddressSanitizer. The stable compiler has it, but needs `RUSTC_BOOTSTRAP` to use it. Nothing
/// that is built here is shipped.
fn address() -> Verdict {
    checked(|host| {
        let log = with_addresses(host, &["obs-log"], &WITH_ADDRESSES);
        // The bridge shows values through unsafe code of obs-log, and the history writes into a mapped file.
        let others = || with_addresses(host, &["obs-tracing", "obs-history"], &["--test=it"]);
        // Counter of the processor, and hints to its caches.
        both(both(log, others), || with_addresses(host, &["obs-trace"], &["--lib"]))
    })
}

/// Runs the tests in which the command reads and sets what the system does at a signal.
fn address_node() -> Verdict {
    checked(|host| with_addresses(host, &["hearthnet"], &WITH_SIGNALS))
}

/// Runs a check for this host, if the compiler has the sanitizer for it.
fn checked(check: impl FnOnce(&str) -> Verdict) -> Verdict {
    match rustc(&["--print", "host-tuple"]) {
        Ok(host) if has_sanitizer(&host) => check(&host),
        Ok(host) => Verdict::PassedBut(format!("this toolchain has no AddressSanitizer for {host}")),
        Err(error) => Verdict::Failed(error),
    }
}

fn with_addresses(host: &str, packages: &[&str], targets: &[&str]) -> Verdict {
    let mut test = cargo::command();
    test.arg("test").args(packages.iter().flat_map(|package| ["--package", package]));
    // `--target` keeps the sanitizer out of build scripts and procedural macros.
    test.args(["--all-features", "--target", host]).args(targets);
    apart(&mut test, "address").env("RUSTFLAGS", "-Zsanitizer=address").env("RUSTC_BOOTSTRAP", "1");
    // A forked child lacks the threads of its parent, so that their memory looks leaked to it. A backtrace begins at the frame
    // of a local variable, which must be on the stack and not on the sanitizer's own one.
    passes(test.env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0"))
}

fn miri() -> Verdict {
    if !there_is(nightly().args(["miri", "--version"])) {
        let how = "needs `rustup toolchain install nightly --component miri,rust-src`";
        return Verdict::ToolMissing(how.to_owned());
    }
    let mut test = nightly();
    test.args(["miri", "test", "--package", "obs-log", "--lib", "--"]).args(UNDER_MIRI);
    // The tests read the clock.
    passes(apart(&mut test, "miri").env("MIRIFLAGS", "-Zmiri-disable-isolation"))
}

/// Gives the command a target folder of its own, because other flags would rebuild the shared one. No debug
/// information is needed.
fn apart<'a>(command: &'a mut Command, name: &str) -> &'a mut Command {
    command.env("CARGO_TARGET_DIR", cargo::root().join("target").join(name)).env("CARGO_INCREMENTAL", "0")
}

/// Returns whether the compiler has the runtime of the sanitizer.
fn has_sanitizer(host: &str) -> bool {
    let libraries =
        |sysroot: String| fs::read_dir(Path::new(&sysroot).join("lib/rustlib").join(host).join("lib"));
    rustc(&["--print", "sysroot"]).ok().and_then(|sysroot| libraries(sysroot).ok()).is_some_and(|libraries| {
        let mut names = libraries.flatten().map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().contains("_rt.asan."))
    })
}

/// Returns the output of the compiler of this task.
fn rustc(args: &[&str]) -> Result<String, String> {
    let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let output = Command::new(rustc).args(args).output();
    let output = output.map_err(|err| format!("rustc could not be started: {err}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the cargo of the nightly toolchain. It is called through rustup, because the running cargo belongs to
/// another toolchain.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command
}
