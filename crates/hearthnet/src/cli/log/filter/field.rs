//! Selection by fields.

use std::str::FromStr;

use memchr::memchr;

use super::text::Probe;
use crate::cli::log::line::Line;

/// Field with its value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for FieldSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<FieldSpec, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(FieldSpec { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(
                "expected KEY=VALUE, with the value as the log shows it, such as `status=timeout` or `ms=12`"
                    .into(),
            ),
        }
    }
}

/// Values of one field, of which a line must have one.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    key: String,
    values: Vec<(String, Option<Probe>)>,
}

impl Field {
    /// Groups the fields by their keys. Values of the same key are alternatives, as with journalctl.
    pub(crate) fn group(specs: &[FieldSpec]) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for FieldSpec { key, value } in specs {
            let value = (value.clone(), Probe::of(value, false));
            match fields.iter_mut().find(|field| &field.key == key) {
                Some(field) => field.values.push(value),
                None => fields.push(Field { key: key.clone(), values: vec![value] }),
            }
        }
        fields
    }

    /// Returns whether the bytes of the line show that it has none of the values.
    pub(super) fn is_surely_not_in(&self, line: &[u8]) -> bool {
        let misses = |probe: &Option<Probe>| probe.as_ref().is_some_and(|probe| !probe.is_in(line));
        self.values.iter().all(|(_, probe)| misses(probe)) && memchr(b'\\', line).is_none()
    }

    pub(super) fn is_in(&self, line: &Line) -> bool {
        let shown = line.field(&self.key);
        shown.is_some_and(|shown| self.values.iter().any(|(value, _)| *value == shown))
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<_> = self.values.iter().map(|(value, _)| format!("{}={value}", self.key)).collect();
        f.write_str(&values.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"warning","logger":"x","msg":"m","s":"a b","n":12,"f":1.50,"t":true,"z":null,"o":{"a":1},"e":"\u0041"}"#;

    fn has(specs: &[&str]) -> bool {
        let specs: Vec<FieldSpec> = specs.iter().map(|spec| spec.parse().unwrap()).collect();
        let line = Line::parse(LINE.as_bytes()).unwrap();
        Field::group(&specs).iter().all(|field| {
            let found = field.is_in(&line);
            assert!(!found || !field.is_surely_not_in(LINE.as_bytes()), "{field}");
            found
        })
    }

    #[test]
    fn values_are_compared_as_they_are_shown() {
        for spec in [
            "s=a b",
            "n=12",
            "f=1.5",
            "t=true",
            "z=null",
            "o={\"a\":1}",
            "e=A",
            "level=warning",
            "msg=m",
            "logger=x",
        ] {
            assert!(has(&[spec]), "{spec}");
        }
        for spec in ["s=a", "n=1", "n=12.0", "t=1", "nosuch=1", "s="] {
            assert!(!has(&[spec]), "{spec}");
        }
    }

    #[test]
    fn values_of_one_key_are_alternatives_and_keys_add_up() {
        assert!(has(&["n=1", "n=12", "t=true"]));
        assert!(!has(&["n=12", "t=false"]));
    }

    #[test]
    fn a_mistake_shows_the_form() {
        for text in ["", "a", "=b"] {
            assert!(text.parse::<FieldSpec>().unwrap_err().contains("KEY=VALUE"), "{text}");
        }
        assert_eq!("a=b=c".parse::<FieldSpec>().unwrap().value, "b=c");
    }
}
