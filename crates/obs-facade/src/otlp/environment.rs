//! Resource attributes from the environment: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.

use std::env::{self, VarError};

use super::list;

/// Resource attributes, and a warning for each variable that cannot be used.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) warnings: Vec<String>,
}

// OpenTelemetry's general environment variables for the resource.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

// Every request to the collector carries all attributes, so both are bounded.
const MAX_BYTES: usize = 8 << 10;
const MAX_ATTRIBUTES: usize = 64;

impl Environment {
    pub(crate) fn read() -> Environment {
        Environment::of(env::var(SERVICE_NAME), env::var(ATTRIBUTES))
    }

    /// Parses both variables. The name wins over the list and an empty variable counts as unset, as OpenTelemetry
    /// specifies.
    fn of(name: Result<String, VarError>, list: Result<String, VarError>) -> Environment {
        let mut environment = Environment::default();
        if let Some(text) = environment.checked(ATTRIBUTES, list) {
            match list::attributes(&text) {
                Ok(attributes) if attributes.len() <= MAX_ATTRIBUTES => environment.attributes = attributes,
                Ok(_) => environment.warn(ATTRIBUTES, &format!("has more than {MAX_ATTRIBUTES} attributes")),
                Err(why) => environment.warn(ATTRIBUTES, why),
            }
        }
        if let Some(name) = environment.checked(SERVICE_NAME, name) {
            environment.attributes.push(("service.name".to_owned(), name));
        }
        environment
    }

    /// Returns the value of a variable; warns of one that is too long or not UTF-8.
    fn checked(&mut self, variable: &str, value: Result<String, VarError>) -> Option<String> {
        match value {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) if text.len() <= MAX_BYTES => Some(text),
            Ok(_) => {
                self.warn(variable, &format!("is longer than {MAX_BYTES} bytes"));
                None
            }
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                self.warn(variable, "is not UTF-8");
                None
            }
        }
    }

    fn warn(&mut self, variable: &str, why: &str) {
        self.warnings.push(format!("{variable} is ignored: it {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: Option<&str>, list: Option<&str>) -> (Vec<String>, Vec<String>) {
        let value = |text: Option<&str>| text.map(str::to_owned).ok_or(VarError::NotPresent);
        let Environment { attributes, warnings } = Environment::of(value(name), value(list));
        (attributes.into_iter().map(|(key, value)| format!("{key}={value}")).collect(), warnings)
    }

    #[test]
    fn the_service_name_comes_last_and_a_bad_variable_is_a_warning() {
        let none: [&str; 0] = [];
        assert_eq!(read(None, None), (vec![], vec![]));
        assert_eq!(read(Some(" "), Some("")), (vec![], vec![]));
        let (attributes, warnings) =
            read(Some("mine"), Some("service.name=theirs,deployment.environment.name=home"));
        assert_eq!(
            attributes,
            ["service.name=theirs", "deployment.environment.name=home", "service.name=mine"]
        );
        assert_eq!(warnings, none);

        let many = (0..65).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for list in ["no pair", "a=1,b", "a=%f", &many, &"x".repeat(8_193)] {
            let (attributes, warnings) = read(Some("mine"), Some(list));
            assert_eq!(attributes, ["service.name=mine"], "{list:.20}");
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].starts_with("OTEL_RESOURCE_ATTRIBUTES is ignored: it "), "{warnings:?}");
        }
        let (attributes, warnings) = read(Some(&"x".repeat(8_193)), Some("a=1"));
        assert_eq!((attributes, warnings.len()), (vec!["a=1".to_owned()], 1));
        let not_unicode = || Err(VarError::NotUnicode("x".into()));
        assert_eq!(Environment::of(not_unicode(), not_unicode()).warnings.len(), 2);
    }
}
