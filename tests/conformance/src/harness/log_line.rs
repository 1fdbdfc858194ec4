//! A parser of log lines that accepts the specified form only.

use serde_json::Value;

use crate::harness::strict_json;

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warning", "error"];

/// A line of the specified form.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Members in their order.
    pub(crate) members: Vec<(String, Value)>,
}

impl Line {
    /// Checks a line against the specified form, and its time against the day of its file if `day` is given.
    ///
    /// # Errors
    /// Returns the expected and the observed form.
    pub(crate) fn parse(text: &str, day: Option<&str>) -> Result<Self, String> {
        let members =
            strict_json::members(text).map_err(|err| format!("an object of JSON a line ({err})"))?;
        let line = Self { members };
        line.has_the_leading_keys()?;
        line.has_a_timestamp_of(day)?;
        if !LEVELS.contains(&line.level()) {
            return Err(format!("level is one of {LEVELS:?}"));
        }
        if line.logger().is_empty() || line.logger().contains("::") {
            return Err("logger is a dotted name".into());
        }
        if line.get("trace_id").is_some() && !line.trace_id().is_some_and(is_ulid) {
            return Err("trace_id is a ULID".into());
        }
        Ok(line)
    }

    fn has_the_leading_keys(&self) -> Result<(), String> {
        let keys: Vec<_> = self.members.iter().map(|(key, _)| key.as_str()).collect();
        let leading = ["ts", "level", "logger", "msg"];
        if keys.get(..4) != Some(&leading[..]) {
            return Err(format!("a line begins with the keys {leading:?}"));
        }
        if leading.iter().any(|key| self.text(key).is_none()) {
            return Err(format!("{leading:?} are strings"));
        }
        match keys.iter().position(|key| *key == "trace_id") {
            None | Some(4) => Ok(()),
            Some(_) => Err("trace_id stands right after msg".into()),
        }
    }

    fn has_a_timestamp_of(&self, day: Option<&str>) -> Result<(), String> {
        let ts = self.text("ts").unwrap_or_default();
        let digits_as = |form: &str| {
            ts.len() == form.len()
                && ts
                    .bytes()
                    .zip(form.bytes())
                    .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
        };
        if !digits_as("0000-00-00T00:00:00.000Z") {
            return Err("ts is RFC 3339 in UTC with three decimals and a Z".into());
        }
        match day {
            Some(day) if !ts.starts_with(day) => Err(format!("a line in {day}.log is of that day")),
            _ => Ok(()),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    pub(crate) fn level(&self) -> &str {
        self.text("level").unwrap_or_default()
    }

    pub(crate) fn logger(&self) -> &str {
        self.text("logger").unwrap_or_default()
    }

    pub(crate) fn msg(&self) -> &str {
        self.text("msg").unwrap_or_default()
    }

    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.text("trace_id")
    }

    /// Returns the keys after `msg` and `trace_id`.
    pub(crate) fn field_keys(&self) -> Vec<&str> {
        let own = self.members.iter().map(|(key, _)| key.as_str());
        own.skip(4).filter(|key| *key != "trace_id").collect()
    }
}

/// Tells whether the text is a ULID in canonical form.
pub(crate) fn is_ulid(text: &str) -> bool {
    text.len() == 26
        && text.starts_with(|first| ('0'..='7').contains(&first))
        && text.bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{Line, is_ulid};

    const GOOD: &str = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":"routed","trace_id":"01HXR3F2QZ0000000000000000","ms":12}"#;

    #[test]
    fn the_specified_form_is_accepted() {
        let line = Line::parse(GOOD, Some("2026-05-26")).expect("of the form");
        assert_eq!((line.level(), line.logger(), line.msg()), ("info", "hearthnet.bus.router", "routed"));
        assert_eq!(line.field_keys(), ["ms"]);
    }

    #[test]
    fn anything_else_is_refused() {
        let refuse = |from: &str, to: &str| {
            let line = GOOD.replace(from, to);
            assert_ne!(line, GOOD, "the change changes something");
            assert!(Line::parse(&line, Some("2026-05-26")).is_err(), "{line}");
        };
        refuse("2026-05-26T", "2026-05-27T");
        refuse(".281Z", ".28Z");
        refuse("Z\",", "+00:00\",");
        refuse("\"info\"", "\"warn\"");
        refuse("hearthnet.bus", "hearthnet::bus");
        refuse("\"ms\":12", "\"msg\":12");
        refuse("01HXR3F2QZ0000000000000000", "81HXR3F2QZ0000000000000000");
        refuse(
            r#""level":"info","logger":"hearthnet.bus.router""#,
            r#""logger":"hearthnet.bus.router","level":"info""#,
        );
        refuse(
            r#""trace_id":"01HXR3F2QZ0000000000000000","ms":12"#,
            r#""ms":12,"trace_id":"01HXR3F2QZ0000000000000000""#,
        );
    }

    #[test]
    fn ulids_have_one_form() {
        assert!(is_ulid("01HXR3F2QZ0000000000000000"));
        for other in [
            "",
            "01hxr3f2qz0000000000000000",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01HXR3F2QZ000000000000000I",
            "01HXR3F2QZ00000000000000000",
        ] {
            assert!(!is_ulid(other), "{other}");
        }
    }
}
