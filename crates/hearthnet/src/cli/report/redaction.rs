//! Redaction with the secrets of this node.

use std::path::Path;

use obs_facade::doctor::{Redactor, SecretKind};
use serde_json::{Map, Value};

use super::place::Form;
use crate::cli::export::settings;
use crate::config::Config;
use crate::config::paths::Paths;
use crate::console;
use crate::state::keys;

/// Redaction of the archive, with its counts.
pub(super) struct Redaction {
    redactor: Redactor,
    pub(super) hides_private_addresses: bool,
    /// Values of settings that were removed by their names.
    settings: u64,
}

impl Redaction {
    /// Creates the redaction. The key of this device, the keys of language models and the console's token are known to it.
    pub(super) fn new(config: &Config, paths: &Paths, hides_private_addresses: bool) -> Redaction {
        let mut redactor = Redactor::new().private_addresses(hides_private_addresses);
        if let Some(home) = std::env::var_os("HOME") {
            redactor = redactor.home(Path::new(&home));
        }
        if let Ok(seed) = std::fs::read(keys::seed_file(&config.identity.keys_dir)) {
            redactor = redactor.secret(&seed);
        }
        let variables = config.llm.backends.iter().filter_map(|backend| backend.api_key_env.as_ref());
        for value in variables.filter_map(std::env::var_os) {
            redactor = redactor.secret(value.as_encoded_bytes());
        }
        let data = paths.data(&config.identity.keys_dir);
        if let Ok(token) = std::fs::read_to_string(console::token_file(data)) {
            redactor = redactor.secret(token.trim().as_bytes());
        }
        Redaction { redactor, hides_private_addresses, settings: 0 }
    }

    /// Returns the text without secrets.
    pub(super) fn shown(&mut self, form: Form, text: &str) -> String {
        match form {
            Form::Json => self.redactor.json(text),
            Form::Lines => {
                text.lines().flat_map(|line| [self.redactor.json(line), "\n".to_owned()]).collect()
            }
            Form::Text => self.redactor.text(text),
        }
    }

    pub(super) fn text(&mut self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// Returns the settings without secrets. Their reader has removed some, which get the mark of a secret.
    pub(super) fn settings(&mut self, text: &str) -> String {
        self.settings += text.matches(settings::REDACTED).count() as u64;
        self.redactor.text(&text.replace(settings::REDACTED, SecretKind::Secret.mark()))
    }

    /// Returns the number of hidden secrets by kind.
    pub(super) fn counts(&self) -> Map<String, Value> {
        let count = |kind: SecretKind| {
            self.redactor.count(kind) + if kind == SecretKind::Secret { self.settings } else { 0 }
        };
        SecretKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), count(*kind).into())).collect()
    }
}
