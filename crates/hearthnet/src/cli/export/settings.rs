//! Settings without secrets.

use std::path::Path;

use toml::{Table, Value};

use crate::wire::error::redaction;

pub(in crate::cli) const REDACTED: &str = "[redacted]";

/// Parts of the names of settings that hold secrets.
const SECRET_PARTS: [&str; 11] = [
    "key",
    "token",
    "secret",
    "passw",
    "credential",
    "auth",
    "header",
    "cookie",
    "seed",
    "private",
    "bearer",
];

/// Text of a setting without secrets.
type Hide<'a> = &'a mut dyn FnMut(&str) -> String;

/// Reads the settings in `file` and removes secrets: by their names, and in texts by `hide`. Comments are left out too, because
/// they may hold anything.
pub(in crate::cli) fn read(file: &Path, hide: Hide<'_>) -> Result<String, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    // The message of the parser repeats the line.
    let table: Table = text.parse().map_err(|_| format!("{} is not TOML", file.display()))?;
    let shown = toml::to_string_pretty(&redacted_table(table, hide)).map_err(|error| error.to_string())?;
    Ok(format!("# Settings of {} without secrets and comments.\n{shown}", file.display()))
}

fn redacted_table(table: Table, hide: Hide<'_>) -> Table {
    let entry = |(name, value): (String, Value)| {
        let value = redacted(&name, value, hide);
        (name, value)
    };
    table.into_iter().map(entry).collect()
}

fn redacted(name: &str, value: Value, hide: Hide<'_>) -> Value {
    if is_secret(name, &value) {
        return Value::String(REDACTED.to_owned());
    }
    match value {
        Value::String(text) => Value::String(hide(&text)),
        Value::Array(values) => {
            Value::Array(values.into_iter().map(|value| redacted(name, value, hide)).collect())
        }
        Value::Table(table) => Value::Table(redacted_table(table, hide)),
        plain => plain,
    }
}

/// Returns whether the setting may hold a secret, by its name.
fn is_secret(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    if !SECRET_PARTS.iter().any(|part| name.contains(part)) {
        return false;
    }
    match value {
        // The name of a variable, such as `api_key_env = "MY_KEY"`, unless the user has put the key itself there.
        Value::String(text) if name.ends_with("_env") => !is_variable(text),
        Value::String(text) if name == "keys_dir" || name.ends_with("_dir") || name.ends_with("_path") => {
            redacted_text(text) != *text
        }
        // A section of this name may hold settings that are no secrets. Theirs are looked at.
        Value::Table(_) => name.contains("header") || name.contains("credential"),
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Datetime(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(_) => true,
    }
}

fn is_variable(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Removes user, password and query of addresses, and what looks like a key.
pub(super) fn redacted_text(text: &str) -> String {
    text.split('\n').map(redaction::shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_and_settings_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let text = r#"
# api key: planted-comment
[identity]
display_name = "ada"
keys_dir = "/srv/keys"
[transport]
port = 7080
tls_key = "planted-pem"
[[llm.backends]]
name = "a"
url = "http://ada:planted-password@host:1/v1?key=planted-query"
api_key_env = "MY_KEY"
[[llm.backends]]
name = "b"
url = "http://host"
api_key_env = "sk-planted-in-the-wrong-place"
api_key = "planted-key"
[observability]
otlp_endpoint = "https://collector:4318"
[observability.otlp_headers]
authorization = "planted-header"
x-tenant = "planted-tenant"
[ui]
tokens = ["planted-list"]
note = "use sk-planted0123456789 here"
password = ""
"#;
        std::fs::write(&file, text).unwrap();
        let shown = read(&file, &mut redacted_text).unwrap();
        assert!(!shown.contains("planted"), "{shown}");
        for kept in
            ["ada", "/srv/keys", "7080", "MY_KEY", "http://host:1/v1", "https://collector:4318", "[redacted]"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        shown.parse::<Table>().unwrap();
        std::fs::write(&file, "password = planted").unwrap();
        assert!(!read(&file, &mut redacted_text).unwrap_err().contains("planted"));
    }
}
