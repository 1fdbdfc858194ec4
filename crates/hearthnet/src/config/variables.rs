//! Environment variables that the file names.

use std::env;

use super::mistake::Mistake;
use super::setting::Setting;

/// Field that names a variable which is not set, or not UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct Unset {
    pub(crate) mistake: Mistake,
    /// Whether the node cannot start without it.
    pub(crate) is_needed: bool,
}

/// Returns the fields whose variable is missing.
pub(super) fn unset(settings: &[Setting], text: &str) -> Vec<Unset> {
    let exports = settings.iter().any(|setting| setting.key == "observability.otlp_endpoint");
    let missing = settings.iter().filter_map(|setting| {
        let is_needed = setting.key == "observability.otlp_headers_env";
        // Without an endpoint nothing is exported, and nothing reads the variable.
        if is_needed && !exports {
            return None;
        }
        let is_key = setting.key.starts_with("llm.backends[") && setting.key.ends_with("].api_key_env");
        if !(is_needed || is_key) {
            return None;
        }
        let name = setting.value.trim_matches(['"', '\'']);
        // `var` returns an error, and does not panic, for a name with `=` or NUL.
        let problem = match env::var(name) {
            Ok(_) => return None,
            Err(env::VarError::NotPresent) if is_variable(name) => {
                format!("the environment variable {name} is not set")
            }
            Err(env::VarError::NotUnicode(_)) => "the environment variable is not UTF-8".to_owned(),
            Err(env::VarError::NotPresent) => "the environment variable that it names is not set".to_owned(),
        };
        let advice = match is_variable(name) {
            true => "set it where the node is started, or remove the line",
            // The value is not repeated, because it may be the key.
            false => "write the name of a variable, such as LLM_KEY, and not the key itself",
        };
        let mistake = Mistake::at((text, setting.span.start), &setting.key, problem, advice);
        Some(Unset { mistake, is_needed })
    });
    missing.collect()
}

/// Returns whether the text has the usual form of a variable's name. Only such a text is shown: an owner may have written the
/// key itself into the file.
pub(crate) fn is_variable(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(is_allowed)
}
