//! Canonical JSON, the form that is signed: sorted keys at every level, no white space between tokens, unescaped
//! characters beyond ASCII, numbers without trailing zeros.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Returns `value` in its canonical form.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => write_number(number, out),
        Value::Array(items) => separated(out, '[', ']', items, write),
        Value::Object(members) => {
            // Another crate of the build may switch serde_json to insertion order.
            let mut members: Vec<_> = members.iter().collect();
            // By bytes, which is the order of code points in UTF-8.
            members.sort_unstable_by_key(|(key, _)| *key);
            separated(out, '{', '}', members, |(key, value), out| {
                write(&Value::String(key.clone()), out);
                out.push(':');
                write(value, out);
            });
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{value}");
        }
    }
}

fn separated<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

/// Largest double up to which every integer has a double of its own. Larger ones are written as they are.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

fn write_number(number: &Number, out: &mut String) {
    let _ = match number.as_f64() {
        // `1.0` and `1` are the same number and need the same signature. This also turns `-0.0` into `0`.
        Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() <= LARGEST_EXACT => {
            write!(out, "{}", double as i64)
        }
        _ => write!(out, "{number}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(json(&serde_json::from_str(input).unwrap()), expected);
    }

    #[test]
    fn the_rules_of_the_wire_contract() {
        check(r#"{ "b": 1, "a": { "d": [ ], "c": null } }"#, r#"{"a":{"c":null,"d":[]},"b":1}"#);
        check("[1.0, 1.10, -0.0, 0.5, 12.50]", "[1,1.1,0,0.5,12.5]");
        check(r#"["Gr\u00fc\u00dfe", "\u0001\n\"\\/"]"#, r#"["Grüße","\u0001\n\"\\/"]"#);
        check("[9007199254740993, -7, 18446744073709551615]", "[9007199254740993,-7,18446744073709551615]");
    }

    #[test]
    fn the_canonical_form_of_a_canonical_form_is_itself() {
        let once = json(&serde_json::from_str(r#"{"z":[1e300,2.50,{"y":1,"x":true}]}"#).unwrap());
        check(&once, &once);
    }
}
