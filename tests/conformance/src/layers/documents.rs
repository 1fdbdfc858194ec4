//! The documents of the workspace: which there are, and whether the files that they name exist.

use std::collections::BTreeSet;
use std::path::Path;

use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;

/// Documents whose file names are checked.
const MAPS: [&str; 4] = ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/design.md"];

/// Folders that hold no source of ours.
const NOT_OURS: [&str; 2] = [".git", "target"];

/// A document that a crate carries stands in `docs` as a link to it: one text, found in both places.
pub(super) fn stand_once(lab: &Lab) -> Outcome {
    for (link, document) in [
        ("docs/doctor-faults.md", "../crates/obs-doctor/docs/faults.md"),
        ("docs/doctor-report.schema.json", "../crates/obs-doctor/docs/report.schema.json"),
    ] {
        let link = lab.root().join(link);
        equal(&link.display().to_string(), std::fs::read_link(&link)?, Path::new(document))?;
        ensure(link.is_file(), "a link that leads to a file", &link)?;
    }
    Ok(())
}

/// Every source file, document and folder that a document names between backticks exists.
pub(super) fn name_what_exists(lab: &Lab) -> Outcome {
    let mut existing = BTreeSet::new();
    collect(lab.root(), Path::new(""), &mut existing)?;
    let mut missing = Vec::new();
    for map in MAPS {
        let text = std::fs::read_to_string(lab.root().join(map))?;
        missing.extend(
            named(&text)
                .into_iter()
                .filter(|name| !exists(name, &existing))
                .map(|name| format!("{map}: {name}")),
        );
    }
    ensure(missing.is_empty(), "every file and folder that a document names", missing)
}

/// Adds every path below `folder`, relative to `root`; a folder's path ends in `/`.
fn collect(root: &Path, folder: &Path, paths: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))?.flatten() {
        let name = entry.file_name();
        if NOT_OURS.iter().any(|other| name == *other) {
            continue;
        }
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            paths.insert(format!("{}/", path.display()));
            collect(root, &path, paths)?;
        } else {
            paths.insert(path.display().to_string());
        }
    }
    Ok(())
}

/// Returns what stands between backticks and has the form of a source file, a document or a folder.
fn named(text: &str) -> BTreeSet<&str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|name| is_path(name)).collect()
}

fn is_path(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let ours = name.ends_with(".rs") || name.ends_with(".md") || name.ends_with('/');
    let rooted = ["crates/", "docs/", "tests/", "xtask/"].iter().any(|top| name.starts_with(top));
    (ours || rooted) && !name.starts_with('/') && name.bytes().all(plain)
}

/// Tells whether `name` is a path of the workspace, or the end of one: `http/layer.rs`.
fn exists(name: &str, existing: &BTreeSet<String>) -> bool {
    let as_folder = format!("{name}/");
    existing.iter().any(|path| {
        [name, as_folder.as_str()].iter().any(|wanted| {
            path.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{exists, named};

    #[test]
    fn paths_are_told_from_other_words() {
        let text = "`http/layer.rs` and `xtask`, `docs/design.md`\nthen `/metrics/`, `a / b/`, `log/`, `tests/bench`";
        let names: Vec<_> = named(text).into_iter().collect();
        assert_eq!(names, ["docs/design.md", "http/layer.rs", "log/", "tests/bench"]);
    }

    #[test]
    fn a_path_is_known_by_its_end() {
        let existing = ["crates/a/src/http/layer.rs", "crates/a/src/http/"].map(str::to_owned).into();
        for name in ["layer.rs", "http/layer.rs", "http/", "src/http", "crates/a/src/http/layer.rs"] {
            assert!(exists(name, &existing), "{name}");
        }
        for name in ["ayer.rs", "tp/layer.rs", "crates/b/src/http/layer.rs", "http/layers.rs"] {
            assert!(!exists(name, &existing), "{name}");
        }
    }
}
