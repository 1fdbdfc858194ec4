//! Running cargo from a task.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

/// Libraries of the workspace, which others depend on and whose documentation they read.
pub(crate) const LIBRARIES: [&str; 10] = [
    "obs-log",
    "obs-metrics",
    "obs-otlp",
    "obs-trace",
    "obs-doctor",
    "obs-tracing",
    "obs-history",
    "obs-community",
    "obs-console",
    "obs-facade",
];

/// Returns the cargo that runs this task.
pub(crate) fn command() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns the root folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the root of the workspace")
}

/// Returns the command that runs every test of the workspace with all features.
pub(crate) fn workspace_test() -> Command {
    let mut test = command();
    test.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).current_dir(root());
    test
}

/// Runs a command to its end. Its output goes to the terminal.
pub(crate) fn status(command: &mut Command) -> io::Result<bool> {
    Ok(command.status()?.success())
}

/// Runs a command to its end, prints its standard output, and passes each line to `see`.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> io::Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
    for line in lines.split(b'\n') {
        let line = line?;
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        see(&String::from_utf8_lossy(&line));
    }
    child.wait()
}

/// Builds packages with a binary of the same name each, and returns the paths of the binaries.
///
/// A single build compiles shared dependencies once.
pub(crate) fn build_binaries(packages: &[&str]) -> Result<Vec<PathBuf>, String> {
    let selection = packages.iter().flat_map(|package| ["--package", package, "--bin", package]);
    let output = command()
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(selection)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| format!("cargo build could not be started: {err}"))?;
    if !output.status.success() {
        return Err(format!("{} does not build", packages.join(" or ")));
    }
    let path = |package: &&str| {
        executable(&output.stdout, package).ok_or_else(|| format!("package {package} builds no binary"))
    };
    packages.iter().map(path).collect()
}

/// Returns the path of the binary, from cargo's messages.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let mut messages = messages
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name);
    messages.find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

/// Returns the output of `cargo metadata` for the packages of the workspace.
pub(crate) fn metadata() -> Result<Value, String> {
    let output = command()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| format!("cargo metadata could not be started: {err}"))?;
    serde_json::from_slice(&output.stdout).map_err(|err| format!("cargo metadata is not JSON: {err}"))
}
