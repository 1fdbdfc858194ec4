//! Gives the commit of the sources to the program as `HEARTHNET_COMMIT`.
//!
//! A package builder sets the variable itself. In a checkout of git it is read from the files of the repository, so that
//! the build needs no program of git. Anywhere else it is `unknown`. The build never fails because of it.

#![allow(clippy::print_stdout, reason = "cargo reads the output of a build program")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Number of characters that are shown, as `git log --oneline` does.
const SHORT: usize = 7;

fn main() {
    println!("cargo::rerun-if-env-changed=HEARTHNET_COMMIT");
    let commit = match env::var("HEARTHNET_COMMIT") {
        Ok(given) => Some(given),
        Err(_) => Repository::find().and_then(|repository| repository.commit()),
    };
    let commit = commit.filter(|commit| is_commit(commit)).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=HEARTHNET_COMMIT={}", &commit[..commit.len().min(SHORT)]);
}

/// Returns whether `text` is a name of a commit: hexadecimal digits.
fn is_commit(text: &str) -> bool {
    (SHORT..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Files of the repository that holds this workspace.
struct Repository {
    /// Folder with the files of this worktree, such as `HEAD`.
    worktree: PathBuf,
    /// Folder with the files of all worktrees, such as `refs`.
    common: PathBuf,
}

impl Repository {
    fn find() -> Option<Repository> {
        // The repository of the workspace and no outer one: a package that is unpacked inside of another project must not
        // show the commit of that project.
        let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join("../..");
        let git = root.join(".git");
        // In a worktree `.git` is a file that names the folder.
        let worktree = match fs::read_to_string(&git) {
            Ok(link) => root.join(link.strip_prefix("gitdir:")?.trim()),
            Err(_) => git,
        };
        let common = match fs::read_to_string(worktree.join("commondir")) {
            Ok(path) => worktree.join(path.trim()),
            Err(_) => worktree.clone(),
        };
        Some(Repository { worktree, common })
    }

    fn commit(&self) -> Option<String> {
        // git appends to this file at each commit and checkout, whereas `HEAD` names the same branch before and after.
        watch(&self.worktree.join("logs/HEAD"));
        let head = read(&self.worktree.join("HEAD"))?;
        let Some(branch) = head.trim().strip_prefix("ref: ") else {
            return Some(head.trim().to_owned());
        };
        match read(&self.common.join(branch)) {
            Some(commit) => Some(commit.trim().to_owned()),
            None => self.packed(branch),
        }
    }

    /// Returns the commit of a branch that git has moved into the file of packed branches.
    fn packed(&self, branch: &str) -> Option<String> {
        let packed = read(&self.common.join("packed-refs"))?;
        let line = packed.lines().find(|line| line.split(' ').nth(1) == Some(branch))?;
        line.split(' ').next().map(str::to_owned)
    }
}

/// Reads `path`, and runs this program again when the file changes.
fn read(path: &Path) -> Option<String> {
    watch(path);
    fs::read_to_string(path).ok()
}

fn watch(path: &Path) {
    // cargo would run this program at each build for a file that does not exist.
    if path.is_file() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
