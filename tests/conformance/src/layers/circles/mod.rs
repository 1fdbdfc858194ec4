//! Import circles: files of a crate that need each other.
//!
//! A circle within a folder may have two files, such as a type and the iterator over it. A circle that leaves its folder
//! means that two rooms are one, or that something stands in the wrong room.

mod components;
mod imports;
mod modules;

use std::path::Path;

use self::imports::Import;
use self::modules::Modules;
use crate::case::{Outcome, ensure};
use crate::harness::Lab;

/// Most files of one folder that may import each other.
const MOST_FILES: usize = 2;

/// Crates whose files are checked.
const PACKAGES: [&str; 11] = [
    "hearthnet",
    "obs-community",
    "obs-console",
    "obs-doctor",
    "obs-facade",
    "obs-history",
    "obs-log",
    "obs-metrics",
    "obs-otlp",
    "obs-trace",
    "obs-tracing",
];

/// The files of each crate in [`PACKAGES`] import each other within bounds.
pub(super) fn none(lab: &Lab) -> Outcome {
    let mut circles = Vec::new();
    for package in PACKAGES {
        let found = circles_of(&lab.root().join("crates").join(package).join("src"))?;
        circles.extend(found.into_iter().map(|circle| format!("{package}: {circle}")));
    }
    ensure(
        circles.is_empty(),
        "no import circle between folders, and none of more than two files",
        circles.join("\n"),
    )
}

/// Each circle that is out of bounds, as the shortest way round it.
fn circles_of(src: &Path) -> Outcome<Vec<String>> {
    let modules = Modules::read(src)?;
    let imports = imports::of(&modules);
    let edges: Vec<Vec<usize>> =
        imports.iter().map(|imports| imports.iter().map(|import| import.file).collect()).collect();
    let circles = components::strongly_connected(&edges);
    Ok(circles
        .into_iter()
        .filter(|circle| out_of_bounds(circle, &modules))
        .map(|circle| shown(&circle, &edges, &imports, &modules))
        .collect())
}

fn out_of_bounds(circle: &[usize], modules: &Modules) -> bool {
    let folder = |file: &usize| modules.files[*file].path.parent();
    circle.len() > 1
        && (circle.len() > MOST_FILES || circle.iter().any(|file| folder(file) != folder(&circle[0])))
}

/// Number of files in the circle and its shortest way round, with the path that makes each step.
fn shown(circle: &[usize], edges: &[Vec<usize>], imports: &[Vec<Import>], modules: &Modules) -> String {
    let name = |file: usize| modules.files[file].path.display().to_string();
    let way = components::shortest_way_round(circle, edges);
    let mut text = format!("{} files: {}", circle.len(), name(way[0]));
    for step in way.windows(2) {
        let import = imports[step[0]].iter().find(|import| import.file == step[1]);
        let path = import.map_or("", |import| &import.path);
        text.push_str(&format!(" → {} ({path})", name(step[1])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::circles_of;

    /// Writes the files, and returns the circles among them.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        circles_of(dir.path()).unwrap()
    }

    #[test]
    fn an_exported_macro_is_needed_in_its_own_file() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\npub use c::C;"),
            ("a.rs", "use crate::b::B;\nstruct A;"),
            ("b.rs", "#[macro_export]\nmacro_rules! b { () => { $crate::inner!() } }\nstruct B;"),
            ("c.rs", "#[macro_export]\nmacro_rules! inner { () => {} }\nstruct C;"),
        ];
        assert!(circles(&files).is_empty());
    }

    #[test]
    fn two_files_of_a_folder_may_need_each_other() {
        assert!(
            circles(&[
                ("lib.rs", "mod a;\nmod b;\npub use a::A;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "use crate::a::A;"),
            ])
            .is_empty()
        );
    }

    #[test]
    fn three_files_may_not_and_the_circle_is_shown() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "fn f() { crate::c::g() }"),
            ("c.rs", "use super::a::{self, A};"),
        ]);
        assert_eq!(found, ["3 files: a.rs → b.rs (crate::b::B) → c.rs (crate::c::g) → a.rs (super::a::A)"]);
    }

    #[test]
    fn two_folders_may_not() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod x;\npub(crate) use x::X;"),
            ("a/x.rs", "use crate::b::y::Y;"),
            ("b/mod.rs", "pub(crate) mod y;"),
            ("b/y.rs", "use crate::a::X;"),
        ]);
        assert_eq!(found, ["2 files: a/x.rs → b/y.rs (crate::b::y::Y) → a/x.rs (crate::a::X)"]);
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_declares() {
        assert!(
            circles(&[
                ("lib.rs", "mod a; mod b; pub use b::{B as C, d::*};"),
                ("a.rs", "use crate::C; use crate::D;"),
                ("b/mod.rs", "pub(crate) mod d; pub struct B;"),
                ("b/d.rs", "pub struct D;"),
            ])
            .is_empty()
        );
    }

    #[test]
    fn tests_may_look_anywhere() {
        assert!(
            circles(&[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "use crate::c::C;"),
                (
                    "c.rs",
                    "#[cfg(test)]\nmod tests { use crate::a::A; }\n#[cfg(all(test, unix))] use crate::a;"
                ),
            ])
            .is_empty()
        );
    }

    #[test]
    fn macros_are_read_too() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "macro_rules! m { () => { $crate::b::f() } }"),
            ("b.rs", "fn f() { vec![super::c::g()]; }"),
            ("c.rs", "fn g() { crate::a::h() }"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
