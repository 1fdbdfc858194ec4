//! Versions of the crates that the benchmarks use, from the package's lock file.

use std::collections::BTreeMap;

const LOCK: &str = include_str!("../../Cargo.lock");

/// Returns the direct dependencies of the package `bench` that come from a registry, with their versions.
pub(super) fn peers() -> Vec<(&'static str, &'static str)> {
    of(LOCK)
}

fn of(lock: &str) -> Vec<(&str, &str)> {
    let packages: Vec<Package<'_>> = lock.split("[[package]]").skip(1).map(Package::read).collect();
    let Some(bench) = packages.iter().find(|package| package.values.get("name") == Some(&"bench")) else {
        return Vec::new();
    };
    let version = |dependency: &str| {
        // A dependency has its version where the lock file has several.
        let (name, version) = dependency.split_once(' ').unwrap_or((dependency, ""));
        let package = packages.iter().find(|package| package.is(name, version))?;
        package.values.contains_key("source").then_some(())?;
        Some((*package.values.get("name")?, *package.values.get("version")?))
    };
    bench.dependencies.iter().filter_map(|dependency| version(dependency)).collect()
}

/// Entry of a lock file.
struct Package<'a> {
    values: BTreeMap<&'a str, &'a str>,
    dependencies: Vec<&'a str>,
}

impl<'a> Package<'a> {
    fn read(text: &'a str) -> Package<'a> {
        let lines = || text.lines().map(str::trim);
        let values = lines().filter_map(|line| line.split_once(" = "));
        let dependencies = lines().filter(|line| line.starts_with('"'));
        Package {
            values: values.map(|(key, value)| (key, value.trim_matches('"'))).collect(),
            dependencies: dependencies.map(|line| line.trim_matches([',', '"'])).collect(),
        }
    }

    fn is(&self, name: &str, version: &str) -> bool {
        let is = |key, value| self.values.get(key) == Some(&value);
        is("name", name) && (version.is_empty() || is("version", version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_dependencies_of_registries_have_their_version() {
        let lock = "\
            [[package]]\nname = \"bench\"\nversion = \"0.1.0\"\ndependencies = [\n \"http 1.5.0\",\n \"obs-log\",\n \"slog\",\n]\n\
            [[package]]\nname = \"http\"\nversion = \"0.2.12\"\nsource = \"registry\"\n\
            [[package]]\nname = \"http\"\nversion = \"1.5.0\"\nsource = \"registry\"\n\
            [[package]]\nname = \"obs-log\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"slog\"\nversion = \"2.8.2\"\nsource = \"registry\"\n";
        assert_eq!(of(lock), [("http", "1.5.0"), ("slog", "2.8.2")]);
        assert!(peers().iter().any(|(name, _)| *name == "fastrace"));
    }
}
