//! Running cargo from a task.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

/// The cargo that runs this task.
pub(crate) fn command() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root")
}

/// Runs a command to its end, its output going straight to the terminal.
pub(crate) fn status(command: &mut Command) -> io::Result<bool> {
    Ok(command.status()?.success())
}

/// Runs a command to its end, passing its standard output on and showing each line to `see`.
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

/// Builds a package's binary and returns where it lies.
pub(crate) fn build_binary(package: &str) -> Result<PathBuf, String> {
    let output = command()
        .args([
            "build",
            "--package",
            package,
            "--bin",
            package,
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| format!("cargo build could not be started: {err}"))?;
    if !output.status.success() {
        return Err(format!("package {package} does not build"));
    }
    executables(&output.stdout).last().ok_or_else(|| format!("package {package} builds no binary"))
}

fn executables(messages: &[u8]) -> impl Iterator<Item = PathBuf> {
    messages
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
}

/// What `cargo metadata` says of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, String> {
    let output = command()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| format!("cargo metadata could not be started: {err}"))?;
    serde_json::from_slice(&output.stdout).map_err(|err| format!("cargo metadata is not JSON: {err}"))
}
