//! Text of the command about the archive: its place, its contents, and the advice to its owner.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::cli::export::size;
use crate::cli::visible::visible;

/// Advice to the owner.
pub(super) const LOOK: &str = "nothing was sent; look through the report before you share it, because redaction knows the forms \
                               of secrets and not their meaning";

pub(super) fn of(manifest: &Value, path: &Path) -> String {
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let mut out =
        format!("wrote {} ({}, readable by you alone)\n", visible(&path.display().to_string()), size(bytes));
    for entry in manifest["entries"].as_array().into_iter().flatten() {
        let text = |key: &str| visible(entry[key].as_str().unwrap_or_default());
        let bytes = size(entry["bytes"].as_u64().unwrap_or_default());
        let _ = writeln!(out, "  {:<22} {bytes:>9}  {}", text("path"), text("about"));
    }
    for left in manifest["left_out"].as_array().into_iter().flatten() {
        let text = |key: &str| visible(left[key].as_str().unwrap_or_default());
        let _ = writeln!(out, "  without {}: {}", text("what"), text("why"));
    }
    let _ = writeln!(out, "hidden: {}", hidden(&manifest["redacted"]));
    let _ = writeln!(out, "{LOOK}");
    out
}

/// Describes the hidden secrets as `3 token, 1 email`.
fn hidden(counts: &Value) -> String {
    let counts = counts.as_object().into_iter().flatten();
    let found = counts.filter(|(_, count)| **count != 0).map(|(kind, count)| format!("{count} {kind}"));
    match found.collect::<Vec<_>>() {
        none if none.is_empty() => "no secrets were found".to_owned(),
        found => found.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_summary_names_the_contents_and_the_advice() {
        let manifest = json!({
            "entries": [{ "path": "doctor.json", "bytes": 2000, "about": "the doctor's report" }],
            "left_out": [{ "what": "traces", "why": "no node\u{1b}" }],
            "redacted": { "token": 3, "email": 0, "key": 1 },
        });
        let text = of(&manifest, Path::new("/nosuch/a.tar.gz"));
        for part in [
            "wrote /nosuch/a.tar.gz",
            "  doctor.json               2.0 kB  the doctor's report\n",
            "  without traces: no node\\u{1b}\n",
            "hidden: 1 key, 3 token\n",
            "before you share it",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(hidden(&json!({ "key": 0 })), "no secrets were found");
    }
}
