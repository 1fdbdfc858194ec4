//! Feature combinations in which each crate is built and tested alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Crate with one set of its features, as arguments to cargo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) package: String,
    /// Name in the output: `none`, `default`, the name of the feature, or `all`.
    pub(crate) label: String,
    /// Whether the crate has features and none of them is on.
    pub(crate) is_bare: bool,
    features: Vec<String>,
}

impl Combination {
    /// Returns `--package …` and the arguments that switch on exactly these features.
    pub(crate) fn args(&self) -> Vec<String> {
        let mut args = vec!["--package".to_owned(), self.package.clone(), "--no-default-features".to_owned()];
        if !self.features.is_empty() {
            args.extend(["--features".to_owned(), self.features.join(",")]);
        }
        args
    }
}

/// Returns for each package of the folder `crates`: no features, the default ones, each one, and all of them.
/// Combinations that switch on the same set are listed once.
pub(crate) fn combinations(metadata: &Value) -> Vec<Combination> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().filter(|package| is_product(package)).flat_map(of_package).collect()
}

fn is_product(package: &Value) -> bool {
    package["manifest_path"].as_str().is_some_and(|path| path.replace('\\', "/").contains("/crates/"))
}

fn of_package(package: &Value) -> Vec<Combination> {
    let name = package["name"].as_str().unwrap_or_default();
    let table: BTreeMap<&str, Vec<&str>> = package["features"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(feature, implied)| (feature.as_str(), strings(implied)))
        .collect();
    let own: Vec<&str> = table.keys().copied().filter(|&feature| feature != "default").collect();

    let mut wanted = vec![("none", vec![])];
    if table.contains_key("default") {
        wanted.push(("default", vec!["default"]));
    }
    wanted.extend(own.iter().map(|&feature| (feature, vec![feature])));
    wanted.push(("all", own.clone()));

    let mut seen = BTreeSet::new();
    wanted.retain(|(_, features)| seen.insert(closure(&table, features)));
    let combination = |(label, features): (&str, Vec<&str>)| Combination {
        package: name.to_owned(),
        label: label.to_owned(),
        is_bare: features.is_empty() && !own.is_empty(),
        features: features.into_iter().map(str::to_owned).collect(),
    };
    wanted.into_iter().map(combination).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns all features that these features switch on, without `default`.
fn closure<'a>(table: &BTreeMap<&'a str, Vec<&'a str>>, features: &[&'a str]) -> BTreeSet<&'a str> {
    let mut on = BTreeSet::new();
    let mut open = features.to_vec();
    while let Some(feature) = open.pop() {
        if on.insert(feature) {
            open.extend(table.get(feature).into_iter().flatten());
        }
    }
    on.remove("default");
    on
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::combinations;

    fn labels(features: serde_json::Value) -> Vec<String> {
        let packages = json!([
            {"name": "one", "manifest_path": "/w/crates/one/Cargo.toml", "features": features},
            {"name": "xtask", "manifest_path": "/w/xtask/Cargo.toml", "features": {}},
        ]);
        combinations(&json!({"packages": packages})).into_iter().map(|it| it.label).collect()
    }

    #[test]
    fn each_feature_and_all_are_listed_once() {
        assert_eq!(labels(json!({})), ["none"]);
        assert_eq!(labels(json!({"default": [], "http": ["dep:axum"]})), ["none", "http"]);
        assert_eq!(labels(json!({"default": ["a"], "a": [], "b": []})), ["none", "default", "b", "all"]);
        assert_eq!(labels(json!({"default": [], "a": ["b"], "b": []})), ["none", "a", "b"]);
    }

    #[test]
    fn a_crate_with_features_is_bare_without_them() {
        let bare = |features| {
            let packages =
                json!([{"name": "one", "manifest_path": "/w/crates/one/Cargo.toml", "features": features}]);
            combinations(&json!({"packages": packages})).into_iter().map(|it| it.is_bare).collect::<Vec<_>>()
        };
        assert_eq!(bare(json!({})), [false]);
        assert_eq!(bare(json!({"a": ["b"], "b": []})), [true, false, false]);
        assert_eq!(bare(json!({"a": [], "b": []})), [true, false, false, false]);
    }

    #[test]
    fn arguments_switch_on_exactly_these_features() {
        let packages = json!([{"name": "one", "manifest_path": "/w/crates/one/Cargo.toml", "features": {"a": [], "b": []}}]);
        let all = combinations(&json!({"packages": packages})).pop().expect("the last combination");
        assert_eq!(all.args(), ["--package", "one", "--no-default-features", "--features", "a,b"]);
    }
}
