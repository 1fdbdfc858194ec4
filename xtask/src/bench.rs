//! `cargo xtask bench`: builds the package `tests/bench`, which holds the peers, and runs the benchmarks.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lexopt::prelude::*;

use crate::steps::{Step, Verdict, both, passes};
use crate::{Done, cargo};

pub(crate) const BENCH: Step = ("bench", checks);

const AREAS: [&str; 4] = ["log", "metrics", "trace", "http"];

pub(crate) struct Options {
    /// Arguments that are passed to the program unchanged.
    passed_on: Vec<OsString>,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut passed_on = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Value(area) if AREAS.iter().any(|known| area == *known) => passed_on.push(area),
                Long(option @ ("json" | "from")) => {
                    let option = format!("--{option}");
                    let file = std::path::absolute(args.value()?).map_err(|err| err.to_string())?;
                    passed_on.extend([option.into(), file.into_os_string()]);
                }
                Long("report") => passed_on.extend(["--report".into(), cargo::root().join("docs").into()]),
                Long("rounds") => passed_on.extend(["--rounds".into(), args.value()?]),
                Long("quick") => passed_on.push("--quick".into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Self { passed_on })
    }
}

/// Builds and runs the benchmarks. A missed target is no failure, because the machine may have been busy.
pub(crate) fn run(options: &Options) -> Done {
    // The contenders on spdlog-rs need a program of their own. `tests/bench/Cargo.toml` has the reason.
    let without_spdlog = build(&[], "bench-without-spdlog")?;
    let program = build(&["--features", "spdlog"], "bench-with-spdlog")?;
    let mut race = Command::new(program);
    race.env("OBSERVABILITY_BENCH_WITHOUT_SPDLOG", without_spdlog);
    race.env("OBSERVABILITY_BENCH_COMMIT", commit()?);
    Ok(cargo::status(race.args(&options.passed_on))?)
}

/// Lints and tests the package, which is no member of the workspace.
fn checks() -> Verdict {
    let check = |what: &str, args: &[&str]| {
        let mut command = cargo::command();
        command.arg(what).args(["--all-targets", "--all-features", "--manifest-path"]).arg(manifest());
        // Nobody debugs it, and the peers are many.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        passes(command.arg("--target-dir").arg(target()).args(args))
    };
    both(check("clippy", &["--", "-D", "warnings"]), || check("test", &[]))
}

/// Returns the last commit that changed the measured code, and whether it was changed since. So the commit of the page itself
/// makes no other.
fn commit() -> Result<String, String> {
    const MEASURED: [&str; 4] = ["Cargo.toml", "crates", "tests/bench", "tests/support"];
    let git = |args: &[&str]| {
        let output =
            Command::new("git").current_dir(cargo::root()).args(args).arg("--").args(MEASURED).output();
        let output = output.map_err(|err| format!("git could not be started: {err}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["log", "-1", "--format=%h", "--abbrev=12"])?;
    let is_changed = !git(&["status", "--porcelain"])?.is_empty();
    Ok(if is_changed { format!("{commit} with changes") } else { commit })
}

pub(crate) fn manifest() -> PathBuf {
    cargo::root().join("tests").join("bench").join("Cargo.toml")
}

/// Returns the folder for what is built of the package.
fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| cargo::root().join("target"), PathBuf::from);
    cargo::root().join(target).join("bench")
}

/// Builds the program with these features in the target folder of the workspace, and returns its path. It is copied to
/// `name`, because the next build replaces it.
fn build(features: &[&str], name: &str) -> Result<PathBuf, String> {
    let target = target();
    let built = cargo::command()
        .args(["rustc", "--release", "--bin", "bench", "--manifest-path"])
        .arg(manifest())
        .arg("--target-dir")
        .arg(&target)
        .args(features)
        // A loop of a few instructions takes twice as long if it crosses a cache line, and any change of the program
        // may move it. Aligned loops measure every contender under the same conditions.
        .args(["--", "-C", "llvm-args=-align-loops=64"])
        // Incremental builds do not optimise across crates, which changes the figures.
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .status()
        .map_err(|err| format!("cargo build could not be started: {err}"))?;
    if !built.success() {
        return Err("package bench does not build".to_owned());
    }
    let release = target.join("release");
    let program = release.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    fs::copy(release.join(format!("bench{}", env::consts::EXE_SUFFIX)), &program)
        .map_err(|err| format!("{} cannot be written: {err}", program.display()))?;
    Ok(program)
}
