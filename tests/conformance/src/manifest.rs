//! `cases.txt`: which cases there are, what section of the specification each belongs to, and which requirements it shows.

use std::collections::BTreeSet;

use crate::case::{Case, Suite};
use crate::options::Options;

/// The list of all cases.
#[derive(Debug)]
pub(crate) struct Manifest {
    entries: Vec<Entry>,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The heading the case stands under.
    pub(crate) section: String,
    /// `suite/name`.
    pub(crate) path: String,
    /// Requirement IDs.
    pub(crate) shows: Vec<String>,
}

/// A case and its line in the list.
#[derive(Clone)]
pub(crate) struct Selected {
    pub(crate) entry: Entry,
    pub(crate) case: Case,
}

impl Manifest {
    /// Reads the list: a heading at the line's start, under it the cases, indented, each with its requirement IDs.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut entries = Vec::new();
        let mut section = None;
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if !line.starts_with(' ') {
                section = Some(line.trim().to_owned());
                continue;
            }
            let mut words = line.split_whitespace().map(str::to_owned);
            let (Some(path), Some(section)) = (words.next(), &section) else {
                return Err(format!("cases.txt, line {number}: a case stands before any heading"));
            };
            let shows: Vec<_> = words.collect();
            if let Some(odd) = shows.iter().find(|id| !is_requirement(id)) {
                return Err(format!("cases.txt, line {number}: {odd:?} is no requirement ID"));
            }
            if shows.is_empty() {
                return Err(format!("cases.txt, line {number}: {path} shows no requirement"));
            }
            entries.push(Entry { section: section.clone(), path, shows });
        }
        Ok(Self { entries })
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

/// A letter of the requirements' areas and a number: `L4`.
fn is_requirement(id: &str) -> bool {
    let (area, number) = id.split_at(id.len().min(1));
    "WLMTDFPR".contains(area) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Options};
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
