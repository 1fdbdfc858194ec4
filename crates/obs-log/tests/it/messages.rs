//! Messages of the compiler about a value that a macro does not accept.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Returns the library that the tests were built with: the newest one in the folder of the test's program.
fn library(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with("libobs_log-") && name.ends_with(".rlib")
    };
    entries
        .filter(is_ours)
        .max_by_key(|path| path.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Returns what the compiler says about a `main` with this body, and whether it accepts it.
fn compile(body: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("main.rs");
    let head =
        "use obs_log::{Logger, exception, info};\nstatic LOG: Logger = Logger::new(\"x\");\nstruct Peer;\n";
    std::fs::write(&source, format!("{head}fn main() {{\n{body}\n}}\n")).unwrap();
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = library(&folder).expect("the library is beside the test");
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--emit=metadata", "--crate-name=message", "--extern"])
        .arg(format!("obs_log={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("--out-dir")
        .arg(dir.path())
        .arg(&source)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[cfg_attr(miri, ignore = "it starts the compiler")]
fn the_compiler_says_what_to_write_and_names_no_private_type() {
    let (is_accepted, message) =
        compile("info!(logger: LOG, a = 1; \"m\"); exception!(LOG, std::fmt::Error; \"m\");");
    assert!(is_accepted, "{message}");
    let (is_accepted, message) = compile(
        "info!(logger: LOG, a = 1, peer = Peer; \"m\");\n\
         info!(list = vec![1]; \"m\");\n\
         exception!(logger: LOG, \"text\"; \"m\");\n\
         info!(error:err = \"text\"; \"m\");",
    );
    assert!(!is_accepted);
    for expected in [
        "a value of type `Peer` cannot be a field as it is",
        "a value of type `Vec<{integer}>` cannot be a field as it is",
        "write `key:% = value` for its `Display`, `key:? = value` for its `Debug`, `key:err = value` for an error",
        "`&str` is not an error that `exception!` can log",
        "neither a `std::error::Error` nor a pointer to one",
        "`&str` is not an error that `:err` can log",
        "write `key:% = value` for its `Display`, or `key:? = value` for its `Debug`",
        "implement `std::error::Error` for it, or log it as a field",
    ] {
        assert!(message.contains(expected), "{expected}\n{message}");
    }
    assert!(!message.contains("__private"), "{message}");
    assert_eq!(message.matches("error[E0277]").count(), 4, "{message}");
}
