//! `cargo xtask sanitize`: the tests of unsafe code where a mistake in it shows: under Miri, and with AddressSanitizer.
//!
//! Both take a nightly toolchain, which is not installed unasked:
//! `rustup toolchain install nightly --component miri,rust-src`.

use std::process::{Command, Stdio};

use crate::{Done, cargo, say};

/// Tests that need no operating system to speak of: memory, locks, threads.
const UNDER_MIRI: [&str; 4] = ["arena::", "batch::", "merge::", "wake::"];
/// Those that map files, too.
const WITH_ADDRESSES: [&str; 4] = ["handover::", "merge::", "pipeline::", "recovery::"];

pub(crate) fn run() -> Done {
    if !there_is(nightly().args(["miri", "--version"])) {
        say("NOT RUN: needs `rustup toolchain install nightly --component miri,rust-src`");
        return Ok(false);
    }
    say("── Miri: obs-log");
    let mut miri = nightly();
    miri.args(["miri", "test", "--package", "obs-log", "--lib", "--"]).args(UNDER_MIRI);
    // The tests ask what time it is.
    miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("CARGO_TARGET_DIR", target("miri"));
    let sound = cargo::status(miri.current_dir(cargo::root()))?;

    say("\n── AddressSanitizer: obs-log");
    let host = host()?;
    let mut addresses = nightly();
    addresses.args(["test", "--package", "obs-log", "--lib", "--target", &host, "--"]).args(WITH_ADDRESSES);
    addresses.env("RUSTFLAGS", "-Zsanitizer=address").env("CARGO_TARGET_DIR", target("sanitize"));
    Ok(cargo::status(addresses.current_dir(cargo::root()))? && sound)
}

/// Cargo by the name that rustup knows, because a cargo that runs us has already chosen its toolchain.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// What these build does not mix with what others build.
fn target(name: &str) -> std::path::PathBuf {
    cargo::root().join("target").join(name)
}

fn host() -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    rustc.args(["+nightly", "--print", "host-tuple"]).env_remove("RUSTUP_TOOLCHAIN");
    let output = rustc.output().map_err(|err| format!("rustc could not be started: {err}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn there_is(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
