//! Arguments of a call: the parameters and the input in its body.

use serde_json::{Map, Value};

use super::error::{CallError, mismatch};

/// Arguments of a call. A capability reads the fields that it needs.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) params: Map<String, Value>,
    pub(crate) input: Map<String, Value>,
}

impl Call {
    /// Reads `{"params": {…}, "input": {…}}`. Either part may be absent.
    pub(crate) fn from_body(body: Value) -> Result<Call, CallError> {
        let Value::Object(mut body) = body else { return Err(mismatch("the body", "an object")) };
        let mut part = |name: &str| match body.remove(name) {
            // Some clients write `null` for an absent part.
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(part)) => Ok(part),
            Some(_) => Err(mismatch(name, "an object")),
        };
        Ok(Call { params: part("params")?, input: part("input")? })
    }
}

/// Returns the string `map[name]`, if present.
pub(crate) fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, CallError> {
    read(map, name, "a string", Value::as_str)
}

/// Returns the whole number `map[name]`, if present.
pub(crate) fn whole(map: &Map<String, Value>, name: &str) -> Result<Option<u64>, CallError> {
    read(map, name, "a whole number from 0", Value::as_u64)
}

/// Returns the boolean `map[name]`, if present.
pub(crate) fn boolean(map: &Map<String, Value>, name: &str) -> Result<Option<bool>, CallError> {
    read(map, name, "a boolean", Value::as_bool)
}

fn read<'a, T>(
    map: &'a Map<String, Value>,
    name: &str,
    allowed: &str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<T>, CallError> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| mismatch(name, allowed)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::error::Code;

    #[test]
    fn a_body_of_another_shape_is_a_schema_mismatch() {
        assert!(Call::from_body(json!({})).unwrap().input.is_empty());
        for body in [json!([]), json!("text"), json!({ "input": [] }), json!({ "params": 1 })] {
            assert_eq!(Call::from_body(body.clone()).unwrap_err().code, Code::SCHEMA_MISMATCH, "{body}");
        }
        let call = Call::from_body(json!({ "input": { "n": -1, "t": 2, "b": "yes" } })).unwrap();
        assert_eq!(whole(&call.input, "n").unwrap_err().code, Code::SCHEMA_MISMATCH);
        assert_eq!(text(&call.input, "t").unwrap_err().code, Code::SCHEMA_MISMATCH);
        assert_eq!(boolean(&call.input, "b").unwrap_err().code, Code::SCHEMA_MISMATCH);
        assert_eq!(whole(&call.input, "absent"), Ok(None));
    }
}
