//! Line of the log as a log record of OTLP.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use obs_otlp::message::{AnyValue, ArrayValue, KeyValue, KeyValueList, Kind, LogRecord, attribute};
use serde_json::{Map, Value};

/// Maximum length in bytes of the body of a line that is not JSON.
const MAX_RAW_BYTES: usize = 8 << 10;

/// Returns the record of a line. A line that is not JSON becomes the body.
pub(super) fn of(line: &[u8]) -> LogRecord {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let mut record = LogRecord { observed_time_unix_nano: now, ..LogRecord::default() };
    match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(fields) => fill(&mut record, fields),
        Err(_) => {
            let raw = String::from_utf8_lossy(&line[..line.len().min(MAX_RAW_BYTES)]);
            record.body = Some(any(Value::String(raw.into_owned())));
        }
    }
    record
}

fn fill(record: &mut LogRecord, fields: Map<String, Value>) {
    let is_exception = fields.contains_key("error_type");
    for (key, value) in fields {
        match (key.as_str(), &value) {
            ("ts", Value::String(time)) => record.time_unix_nano = nanos(time),
            ("level", Value::String(level)) => {
                record.severity_number = severity(level);
                record.severity_text.clone_from(level);
            }
            ("msg", Value::String(_)) => record.body = Some(any(value)),
            ("trace_id", Value::String(id)) => match id.parse::<obs_trace::TraceId>() {
                Ok(id) => record.trace_id = id.to_bytes().to_vec(),
                Err(_) => record.attributes.push(of_field("trace_id", value)),
            },
            ("error_type", _) => record.attributes.push(named("exception.type", value)),
            ("error", _) if is_exception => record.attributes.push(named("exception.message", value)),
            ("backtrace", _) => record.attributes.push(named("exception.stacktrace", value)),
            (key, _) => record.attributes.push(of_field(key, value)),
        }
    }
}

/// Returns the severity number of a level; 0 is unspecified.
fn severity(level: &str) -> i32 {
    match level {
        "trace" => 1,
        "debug" => 5,
        "info" => 9,
        "warning" => 13,
        "error" => 17,
        _ => 0,
    }
}

fn nanos(time: &str) -> u64 {
    let time = DateTime::parse_from_rfc3339(time).ok().and_then(|time| time.timestamp_nanos_opt());
    time.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
}

/// Returns a field as an attribute. A name without a dot is in the namespace of this project, as with spans.
fn of_field(key: &str, value: Value) -> KeyValue {
    if key.contains('.') { named(key, value) } else { named(&format!("hearthnet.{key}"), value) }
}

fn named(key: &str, value: Value) -> KeyValue {
    match any(value).value {
        Some(kind) => attribute(key, kind),
        None => KeyValue { key: key.to_owned(), value: None },
    }
}

/// Returns a value with its type. JSON's `null` is the empty value.
fn any(value: Value) -> AnyValue {
    let kind = match value {
        Value::Null => None,
        Value::Bool(truth) => Some(Kind::Bool(truth)),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Kind::Int(number),
            // OTLP has no unsigned numbers. A number that is too large becomes text.
            (None, _) if number.is_u64() => Kind::String(number.to_string()),
            (None, Some(number)) => Kind::Double(number),
            (None, None) => Kind::String(number.to_string()),
        }),
        Value::String(text) => Some(Kind::String(text)),
        Value::Array(values) => {
            Some(Kind::Array(ArrayValue { values: values.into_iter().map(any).collect() }))
        }
        Value::Object(fields) => Some(Kind::Map(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| KeyValue { key, value: Some(any(value)) })
                .collect(),
        })),
    };
    AnyValue { value: kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<'a>(record: &'a LogRecord, key: &str) -> Option<&'a Kind> {
        let attribute = record.attributes.iter().find(|attribute| attribute.key == key)?;
        attribute.value.as_ref()?.value.as_ref()
    }

    #[test]
    fn a_line_keeps_the_types_of_its_fields() {
        let record = of(br#"{"ts":"2026-05-26T08:14:22.281Z","level":"warning","logger":"hearthnet.bus","msg":"slow","trace_id":"01HXR3F2M4C9T8Q0Z6V5K7B1AD","ms":12,"share":0.5,"big":18446744073709551615,"ok":true,"peer":"7H4G","none":null,"list":[1,"a"],"map":{"a":1},"http.route":"/x"}"#);
        assert_eq!(record.time_unix_nano, 1_779_783_262_281_000_000);
        assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "warning"));
        assert_eq!(record.body, Some(any(Value::String("slow".to_owned()))));
        assert_eq!(record.trace_id.len(), 16);
        assert_eq!(kind(&record, "hearthnet.ms"), Some(&Kind::Int(12)));
        assert_eq!(kind(&record, "hearthnet.share"), Some(&Kind::Double(0.5)));
        assert_eq!(kind(&record, "hearthnet.big"), Some(&Kind::String("18446744073709551615".to_owned())));
        assert_eq!(kind(&record, "hearthnet.ok"), Some(&Kind::Bool(true)));
        assert_eq!(kind(&record, "hearthnet.none"), None);
        assert!(matches!(kind(&record, "hearthnet.list"), Some(Kind::Array(list)) if list.values.len() == 2));
        assert!(matches!(kind(&record, "hearthnet.map"), Some(Kind::Map(map)) if map.values[0].key == "a"));
        assert!(kind(&record, "http.route").is_some() && kind(&record, "hearthnet.logger").is_some());
    }

    #[test]
    fn an_exception_has_the_names_of_the_conventions_and_nonsense_is_a_body() {
        let record = of(
            br#"{"level":"error","msg":"it failed","error_type":"Io","error":"gone","backtrace":"0: main"}"#,
        );
        for key in ["exception.type", "exception.message", "exception.stacktrace"] {
            assert!(kind(&record, key).is_some(), "{key}");
        }
        let plain = of(br#"{"level":"info","msg":"m","error":"timeout","trace_id":"no id"}"#);
        assert!(kind(&plain, "hearthnet.error").is_some() && kind(&plain, "hearthnet.trace_id").is_some());
        for nonsense in [&b"panicked at x"[..], b"[1]", &[0xff; 20_000], b"", b"{\"ts\":7}"] {
            let record = of(nonsense);
            assert!(record.severity_number == 0 && record.trace_id.is_empty());
        }
    }
}
