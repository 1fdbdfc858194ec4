//! `cases.txt`: the list of all cases, their sections, and the requirements that each case shows.

use std::collections::BTreeSet;
use std::path::Path;

use crate::case::{Case, Suite};
use crate::options::Options;

/// Prefix of a requirement's line in `docs/requirements.md`.
const REQUIREMENT_LINE: &str = "- **";
/// First word of a line in `cases.txt` whose requirements are not built yet.
const OPEN: &str = "open";

/// The list of all cases.
#[derive(Debug)]
pub(crate) struct Manifest {
    entries: Vec<Entry>,
    elsewhere: Vec<Elsewhere>,
}

/// A case's line in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The heading above the case.
    pub(crate) section: String,
    /// `suite/name`.
    pub(crate) path: String,
    /// Requirement IDs.
    pub(crate) shows: Vec<String>,
}

/// A line for requirements that no case shows.
#[derive(Debug)]
struct Elsewhere {
    /// Source file of a crate that tests the requirements, or `open`.
    place: String,
    requirements: Vec<String>,
}

/// A case and its line in the list.
#[derive(Clone)]
pub(crate) struct Selected {
    pub(crate) entry: Entry,
    pub(crate) case: Case,
}

impl Manifest {
    /// Reads the list: headings at the line's start, below each its indented lines.
    ///
    /// A line is a case, a source file (it ends in `.rs`) or the word `open`, followed by requirement IDs.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut manifest = Self { entries: Vec::new(), elsewhere: Vec::new() };
        let mut section = None;
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if !line.starts_with(' ') {
                section = Some(line.trim());
                continue;
            }
            let section =
                section.ok_or_else(|| format!("cases.txt, line {number}: no heading stands above it"))?;
            manifest
                .read_line(section, line)
                .map_err(|fault| format!("cases.txt, line {number}: {fault}"))?;
        }
        Ok(manifest)
    }

    fn read_line(&mut self, section: &str, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let place = words.next().ok_or("the line is empty")?;
        let requirements: Vec<_> = words.collect();
        if let Some(odd) = requirements.iter().find(|id| !is_requirement(id)) {
            return Err(format!("{odd:?} is no requirement ID"));
        }
        if requirements.is_empty() {
            return Err(format!("{place} shows no requirement"));
        }
        if place == OPEN || place.ends_with(".rs") || place.ends_with(".mjs") {
            self.elsewhere.push(Elsewhere { place, requirements });
        } else {
            self.entries.push(Entry { section: section.to_owned(), path: place, shows: requirements });
        }
        Ok(())
    }

    /// Fails when `requirements` (the text of `docs/requirements.md`) and the list disagree on the IDs that exist, when a
    /// requirement is both shown and open, or when a source file that the list names is missing below `root`.
    pub(crate) fn must_cover(&self, requirements: &str, root: &Path) -> Result<(), String> {
        let required: BTreeSet<&str> = requirements.lines().filter_map(requirement_of).collect();
        let of_place = |open: bool| {
            self.elsewhere.iter().filter(move |it| (it.place == OPEN) == open).flat_map(|it| &it.requirements)
        };
        let open: BTreeSet<&str> = of_place(true).map(String::as_str).collect();
        let shown: BTreeSet<&str> = self
            .entries
            .iter()
            .flat_map(|entry| &entry.shows)
            .chain(of_place(false))
            .map(String::as_str)
            .collect();
        let listed: BTreeSet<&str> = shown.union(&open).copied().collect();

        let mut faults = Vec::new();
        faults.extend(required.difference(&listed).map(|id| format!("{id} has no line in cases.txt")));
        faults.extend(
            listed.difference(&required).map(|id| format!("{id} has no line in docs/requirements.md")),
        );
        faults
            .extend(shown.intersection(&open).map(|id| format!("{id} is both shown and open in cases.txt")));
        let files = self.elsewhere.iter().map(|it| it.place.as_str()).filter(|place| *place != OPEN);
        faults.extend(
            files
                .filter(|file| !root.join(file).is_file())
                .map(|file| format!("{file} stands in cases.txt but does not exist")),
        );
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// Fails when a case is listed twice, exists without being listed, or is listed without existing.
    pub(crate) fn must_match(&self, suites: &[Suite]) -> Result<(), String> {
        let mut listed = BTreeSet::new();
        let mut faults = Vec::new();
        for entry in &self.entries {
            if !listed.insert(entry.path.clone()) {
                faults.push(format!("{} is listed twice", entry.path));
            }
        }
        let existing: BTreeSet<_> = suites.iter().flat_map(paths).map(|(path, _)| path).collect();
        faults.extend(existing.difference(&listed).map(|path| format!("{path} is not listed in cases.txt")));
        faults.extend(
            listed
                .difference(&existing)
                .map(|path| format!("{path} is listed in cases.txt but does not exist")),
        );
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// The cases that the options ask for, in the order of the list.
    pub(crate) fn select(&self, suites: &[Suite], options: &Options) -> Result<Vec<Selected>, String> {
        if let Some(unknown) =
            options.suites.iter().find(|name| suites.iter().all(|suite| suite.name != **name))
        {
            let known: Vec<_> = suites.iter().map(|suite| suite.name).collect();
            return Err(format!("no suite is called {unknown:?}; the suites are {}", known.join(", ")));
        }
        let all: Vec<_> = suites.iter().flat_map(paths).collect();
        let of_case = |wanted: &str, path: &str| {
            path == wanted || path.split_once('/').is_some_and(|(_, name)| name == wanted)
        };
        if let Some(unknown) =
            options.cases.iter().find(|wanted| !all.iter().any(|(path, _)| of_case(wanted, path)))
        {
            return Err(format!("no case is called {unknown:?}; --list shows them"));
        }
        let asked_for = |path: &str| {
            let suite = path.split('/').next().unwrap_or_default();
            (options.suites.is_empty() || options.suites.iter().any(|name| name == suite))
                && (options.cases.is_empty() || options.cases.iter().any(|wanted| of_case(wanted, path)))
        };
        let selected: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| asked_for(&entry.path))
            .filter_map(|entry| {
                let (_, case) = all.iter().find(|(path, _)| *path == entry.path)?;
                Some(Selected { entry: entry.clone(), case: *case })
            })
            .filter(|selected| options.target.is_none() || selected.case.black_box)
            .collect();
        if selected.is_empty() { Err("no case to run".into()) } else { Ok(selected) }
    }
}

fn paths(suite: &Suite) -> impl Iterator<Item = (String, Case)> {
    suite.cases.iter().map(|case| (format!("{}/{}", suite.name, case.name), *case))
}

/// Returns the ID of a requirement's line: `- **L4** Files …`.
fn requirement_of(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix(REQUIREMENT_LINE)?.split_once("**")?;
    Some(id)
}

/// Tells whether `id` is an upper-case letter followed by a number, such as `L4`.
fn is_requirement(id: &str) -> bool {
    let mut bytes = id.bytes();
    bytes.next().is_some_and(|area| area.is_ascii_uppercase())
        && bytes.len() > 0
        && bytes.all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Options, Path};
    use crate::case::{Case, Suite};

    const CASES: &[Case] = &[Case::new("one", |_| Ok(())), Case::black_box("two", |_| Ok(()))];
    const SUITES: [Suite; 1] = [Suite { name: "logging", cases: CASES }];

    fn read(text: &str) -> Manifest {
        Manifest::read(text).expect("a well-formed list")
    }

    #[test]
    fn list_and_code_must_agree() {
        let good = "# a comment\n§3 Logging\n  logging/one  L1 L2\n\n  logging/two  F1\n";
        assert_eq!(read(good).must_match(&SUITES), Ok(()));

        let fault = |text: &str| read(text).must_match(&SUITES).expect_err("a fault");
        assert_eq!(fault("§3\n  logging/one L1\n"), "logging/two is not listed in cases.txt");
        assert!(
            fault("§3\n  logging/one L1\n  logging/two L1\n  logging/three L1\n").contains("does not exist")
        );
        assert!(fault("§3\n  logging/one L1\n  logging/two L1\n  logging/two L1\n").contains("listed twice"));
    }

    #[test]
    fn a_malformed_list_is_refused() {
        assert!(Manifest::read("  logging/one L1\n").is_err());
        assert!(Manifest::read("§3\n  logging/one\n").is_err());
        assert!(Manifest::read("§3\n  logging/one later\n").is_err());
    }

    #[test]
    fn list_and_requirements_must_agree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let required = "- **L1** Names.\n- **L2** Lines.\n- **B1** Events.\n";
        let good = "§3\n  logging/one L1\n  src/main.rs L2\n  open B1\n";
        assert_eq!(read(good).must_cover(required, root), Ok(()));

        let fault = |text: &str| read(text).must_cover(required, root).expect_err("a fault");
        assert_eq!(fault("§3\n  logging/one L1 L2\n"), "B1 has no line in cases.txt");
        assert_eq!(
            fault("§3\n  logging/one L1 L2 L3\n  open B1\n"),
            "L3 has no line in docs/requirements.md"
        );
        assert_eq!(
            fault("§3\n  logging/one L1 L2 B1\n  open B1\n"),
            "B1 is both shown and open in cases.txt"
        );
        assert_eq!(
            fault("§3\n  logging/one L1 L2\n  open B1\n  src/gone.rs L1\n"),
            "src/gone.rs stands in cases.txt but does not exist"
        );
    }

    #[test]
    fn options_choose_cases() {
        let manifest = read("§3\n  logging/one L1\n  logging/two L1\n");
        let names = |options: Options| {
            let selected = manifest.select(&SUITES, &options)?;
            Ok::<_, String>(selected.iter().map(|it| it.case.name).collect::<Vec<_>>())
        };
        assert_eq!(names(Options::default()), Ok(vec!["one", "two"]));
        assert_eq!(
            names(Options { cases: vec!["logging/two".into()], ..Options::default() }),
            Ok(vec!["two"])
        );
        assert_eq!(
            names(Options { target: Some("http://h:1".into()), ..Options::default() }),
            Ok(vec!["two"])
        );
        assert!(names(Options { suites: vec!["nosuch".into()], ..Options::default() }).is_err());
        assert!(names(Options { cases: vec!["three".into()], ..Options::default() }).is_err());
    }
}
