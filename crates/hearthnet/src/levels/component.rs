//! Names of the loggers of a node.

use crate::nearest::nearest;

/// Root of the names.
const ROOT: &str = "hearthnet";

/// Loggers of this node below [`ROOT`], and those of the modules that a later node has.
const BELOW_ROOT: [&str; 21] = [
    "bus",
    "bus.router",
    "community.collect",
    "console",
    "discovery",
    "doctor",
    "embed",
    "levels",
    "limiter",
    "llm",
    "market",
    "node",
    "problems",
    "rag",
    "run",
    "server",
    "trace",
    "transport",
    "watch",
    "wire.client",
    "wire.signature",
];

/// Returns the name that `name` was most likely meant to be. `None` for a known name, a name below or above one, and any name
/// that is not like a known one: other crates log too, under names of their own.
pub(crate) fn suggestion(name: &str) -> Option<String> {
    let (root, rest) = name.split_once('.').unwrap_or((name, ""));
    if root != ROOT {
        let root = nearest(root, [ROOT])?;
        return Some(if rest.is_empty() { root.to_owned() } else { format!("{root}.{rest}") });
    }
    let is_related = |known: &str| is_at_or_below(known, rest) || is_at_or_below(rest, known);
    if rest.is_empty() || BELOW_ROOT.into_iter().any(is_related) {
        return None;
    }
    nearest(rest, BELOW_ROOT).map(|known| format!("{ROOT}.{known}"))
}

/// Returns the loggers that a node has.
pub(crate) fn loggers() -> impl Iterator<Item = String> {
    BELOW_ROOT.into_iter().map(|name| format!("{ROOT}.{name}"))
}

fn is_at_or_below(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_slip_has_a_suggestion_and_other_names_have_none() {
        for (name, meant) in [
            ("hearthnet.bsu", Some("hearthnet.bus")),
            ("hearthnet.limter", Some("hearthnet.limiter")),
            ("hearthnt.bus", Some("hearthnet.bus")),
            ("heartnet", Some("hearthnet")),
            ("hearthnet", None),
            ("hearthnet.wire", None),
            ("hearthnet.bus.router.pick", None),
            ("hearthnet.something.else", None),
            ("hyper", None),
            ("obs_log", None),
        ] {
            assert_eq!(suggestion(name).as_deref(), meant, "{name}");
        }
    }

    /// Loggers of the sources, by the text that makes them.
    fn loggers(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                loggers(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Tests come last in a file, and have loggers of their own.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for line in text.lines() {
                let Some((before, call)) = line.split_once("::new(") else { continue };
                if !before.ends_with("= Logger") && !before.ends_with("obs_facade::Logger") {
                    continue;
                }
                match call.strip_prefix('"').and_then(|call| call.split('"').next()) {
                    Some(name) => found.push(name.replace("::", ".")),
                    None if call.starts_with("module_path!()") => {
                        let module = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
                        let module = module.with_extension("").to_str().unwrap().replace('/', ".");
                        found.push(format!("{ROOT}.{}", module.trim_end_matches(".mod")));
                    }
                    None => {}
                }
            }
        }
    }

    #[test]
    fn every_logger_of_the_node_is_known() {
        let mut found = Vec::new();
        loggers(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.contains(&"hearthnet.run".to_owned()), "{found:?}");
        for name in found {
            let known = name.strip_prefix("hearthnet.").is_some_and(|name| BELOW_ROOT.contains(&name));
            assert!(known, "{name} is missing in BELOW_ROOT");
        }
    }
}
