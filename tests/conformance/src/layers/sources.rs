//! Rules for the sources of the sub-crates and the facade.
//!
//! The workspace's lints catch most violations. These cases find what an `#[allow]` or a direct write could hide.

use std::path::{Path, PathBuf};

use super::cargo::SUB_CRATES;
use crate::case::{Outcome, ensure};
use crate::harness::Lab;

/// Source file without comments and tests.
pub(super) struct Source {
    /// Path below the crate's folder.
    path: PathBuf,
    pub(super) text: String,
}

/// Names of files with tests only: unit tests, loom's models and the types for them.
const TESTS: [&str; 3] = ["tests.rs", "models.rs", "modelled.rs"];

/// Returns the sources that a crate ships.
pub(super) fn shipped(lab: &Lab, package: &str) -> Outcome<Vec<Source>> {
    let root = lab.root().join("crates").join(package);
    let mut files = Vec::new();
    let mut open = vec![root.join("src")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                // A folder of unit tests.
                open.extend(Some(path).filter(|path| !path.ends_with("tests")));
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !TESTS.iter().any(|tests| path.ends_with(tests))
            {
                files
                    .push(Source { path: below(&root, &path), text: bare(&std::fs::read_to_string(&path)?) });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Returns the text before the tests at the file's end, without comment lines.
fn bare(text: &str) -> String {
    let starts = ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test, "];
    let found = starts.iter().flat_map(|start| text.match_indices(start)).map(|(at, _)| at);
    let end = found.filter(|&at| begins_tests(&text[at + 1..])).min().unwrap_or(text.len());
    let shipped = &text[..end];
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    shipped.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

/// Whether the line after an attribute begins a module with its body. Declarations such as `mod models;` may stand anywhere.
fn begins_tests(text: &str) -> bool {
    text.lines().nth(1).is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
}

/// Looks for words in the sources of some crates, except in some files and lines.
fn never(
    lab: &Lab,
    what: &str,
    words: &[&str],
    packages: &[&str],
    but: &[&str],
    lines_but: &[&str],
) -> Outcome {
    for package in packages {
        for source in shipped(lab, package)? {
            let name = format!("{package}/{}", source.path.display());
            let found = |line: &&str| {
                words.iter().any(|word| has_word(line, word))
                    && !lines_but.iter().any(|may| line.contains(may))
            };
            let lines: Vec<_> = source.text.lines().filter(found).map(str::trim).collect();
            ensure(lines.is_empty() || but.contains(&name.as_str()), &format!("{what} in {name}"), lines)?;
        }
    }
    Ok(())
}

/// Tells whether the line contains the word, and not only as the end of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let starts_anew =
        |place: usize| !line[..place].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    line.match_indices(word).any(|(place, _)| word.starts_with('.') || starts_anew(place))
}

/// Only the log's console and its last-resort warning print.
pub(super) fn nothing_prints(lab: &Lab) -> Outcome {
    let words = ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!(", "stdout().", "stderr()."];
    let packages = [
        &SUB_CRATES[..],
        &["obs-community", "obs-console", "obs-facade", "obs-history", "obs-otlp", "obs-tracing"],
    ]
    .concat();
    never(
        lab,
        "no print",
        &words,
        &packages,
        &["obs-log/src/console/mod.rs", "obs-log/src/process/stderr.rs"],
        &[],
    )
}

/// Code on the way of a record contains no call that can panic.
pub(super) fn nothing_panics(lab: &Lab) -> Outcome {
    let words =
        [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!(", ".unwrap_err()"];
    // A capture is for tests. Its panic fails a test.
    let captures = [
        "obs-facade/src/testing/logs.rs",
        "obs-facade/src/testing/metrics.rs",
        "obs-facade/src/testing/traces.rs",
        "obs-log/src/api/testing.rs",
    ];
    // Unreachable: by the contract of `Future`, by the alphabet of an ID, by the room that was made before.
    let proven = [
        "not polled after its end",
        "there until it is ready",
        "visible ASCII is a header value",
        "grown if need be",
        "there is room",
    ];
    let packages = [
        "obs-log",
        "obs-metrics",
        "obs-otlp",
        "obs-trace",
        "obs-tracing",
        "obs-history",
        "obs-community",
        "obs-console",
        "obs-facade",
    ];
    never(lab, "no panic", &words, &packages, &captures, &proven)
}

/// A sink of the log does not log. It counts its problems and warns once on stderr.
pub(super) fn nothing_logs_inside(lab: &Lab) -> Outcome {
    let words = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];
    for source in shipped(lab, "obs-log")? {
        // These files hold the macros for callers. They log at the caller's place, not in a sink.
        let is_for_callers =
            ["src/api/exception.rs", "src/api/limited.rs"].iter().any(|name| source.path.ends_with(name));
        let lines: Vec<_> =
            source.text.lines().filter(|line| words.iter().any(|word| has_word(line, word))).collect();
        ensure(
            is_for_callers || lines.is_empty(),
            &format!("no line logged in obs-log/{}", source.path.display()),
            lines,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{bare, has_word};

    #[test]
    fn comments_and_tests_are_left_out() {
        let text = "//! print!(\nfn a() {\n    // panic!(\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    println!();\n}\n";
        assert_eq!(bare(text), "fn a() {\n    b();\n}\n");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("    eprint!(\"x\")", "eprint!("));
        assert!(!has_word("    eprint!(\"x\")", "print!("));
        assert!(has_word("io::stderr().lock()", "stderr()"));
        assert!(has_word("a.lock().unwrap()", ".unwrap()"));
    }
}
