//! `cargo xtask api`: compares the public API of the libraries with the listings in the repository.
//!
//! rustdoc describes each library as JSON. That output is unstable, so the step sets `RUSTC_BOOTSTRAP`, which lets the
//! stable toolchain write it. The listing of a crate is `public-api.txt` beside its `Cargo.toml`: one item a line,
//! without blanket, auto-trait and derived implementations.

use std::fs;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use crate::steps::{self, Step, Verdict, passes};
use crate::{Done, cargo, say};

pub(crate) const API: Step = ("api", check);

/// Maximum number of changed lines that are printed for a crate.
const SHOWN_LINES: usize = 40;

pub(crate) struct Options {
    bless: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { bless: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("bless") => options.bless = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(options: &Options) -> Done {
    if options.bless {
        for (library, listing) in listings()? {
            fs::write(pinned(library), listing)?;
        }
        return Ok(true);
    }
    Ok(steps::run([API].into_iter(), true))
}

fn check() -> Verdict {
    let current = match listings() {
        Ok(current) => current,
        Err(err) => return Verdict::Failed(err),
    };
    let mut changed = Vec::new();
    for (library, listing) in current {
        let listed = fs::read_to_string(pinned(library)).unwrap_or_default();
        let difference = difference(&listed, &listing);
        if !difference.is_empty() {
            say(&format!("{library}: {} changed lines", difference.len()));
            difference.iter().take(SHOWN_LINES).for_each(|line| say(line));
            changed.push(library);
        }
    }
    if changed.is_empty() {
        return Verdict::Passed;
    }
    Verdict::Failed(format!(
        "the public API of {} differs from public-api.txt: run `cargo xtask api --bless` if the change is intended",
        changed.join(", ")
    ))
}

/// Returns the path of a library's listing in the repository.
fn pinned(library: &str) -> PathBuf {
    cargo::root().join("crates").join(library).join("public-api.txt")
}

/// Returns the public API of each library, one item a line.
fn listings() -> Result<Vec<(&'static str, String)>, String> {
    // RUSTC_BOOTSTRAP makes cargo build every dependency anew. A folder of its own keeps the other builds.
    let target = cargo::root().join("target").join("api");
    let mut document = cargo::command();
    document.args(["doc", "--no-deps", "--lib", "--all-features", "--target-dir"]).arg(&target);
    document.args(cargo::LIBRARIES.iter().flat_map(|library| ["--package", library]));
    document.env("RUSTC_BOOTSTRAP", "1").env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json");
    if let Verdict::Failed(what) = passes(&mut document) {
        return Err(what);
    }
    cargo::LIBRARIES
        .into_iter()
        .map(|library| Ok((library, listing(library, &target.join("doc"))?)))
        .collect()
}

fn listing(library: &str, folder: &Path) -> Result<String, String> {
    let json = folder.join(format!("{}.json", library.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|err| format!("{} cannot be read: {err}", json.display()))?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}

/// Returns the lines that only one of two listings has: `- ` for the old one's, `+ ` for the new one's.
fn difference(old: &str, new: &str) -> Vec<String> {
    let only = |these: &str, others: &str, sign: char| -> Vec<String> {
        let others: Vec<_> = others.lines().collect();
        these.lines().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    [only(old, new, '-'), only(new, old, '+')].concat()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn changed_lines_are_shown_with_their_side() {
        assert!(difference("a\nb\n", "a\nb\n").is_empty());
        assert_eq!(difference("a\nb\n", "b\nc\n"), ["- a", "+ c"]);
        assert_eq!(difference("", "a\n"), ["+ a"]);
    }
}
