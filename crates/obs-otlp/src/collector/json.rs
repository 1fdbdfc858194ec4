//! OTLP responses in JSON, reduced to the fields that are used. Unknown fields are skipped.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};

use crate::message::PartialSuccess;

/// Parses a message. `None` if the body is not a JSON object of this kind.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Message `ExportTraceServiceResponse`, or its sibling of another signal.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportResponse {
    #[serde(default)]
    partial_success: Option<Partial>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Partial {
    // Only that of the signal is there.
    rejected_spans: Int64,
    rejected_data_points: Int64,
    rejected_log_records: Int64,
    error_message: Option<String>,
}

/// Message `google.rpc.Status`.
#[derive(serde::Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) message: Option<String>,
}

impl ExportResponse {
    pub(super) fn partial_success(self) -> PartialSuccess {
        let partial = self.partial_success.unwrap_or_default();
        let counts = [partial.rejected_spans, partial.rejected_data_points, partial.rejected_log_records];
        PartialSuccess {
            rejected: counts.iter().map(|count| count.0).find(|count| *count != 0).unwrap_or(0),
            error_message: partial.error_message.unwrap_or_default(),
        }
    }
}

/// An `int64` in protobuf's JSON: written as text, but numbers are accepted too.
#[derive(Default)]
struct Int64(i64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int64, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = Int64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number or its text")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Int64, E> {
                Ok(Int64(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Int64, E> {
                i64::try_from(number).map(Int64).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Int64, E> {
                // Up to 2^53 an `f64` is exact.
                let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
                if is_whole { Ok(Int64(number as i64)) } else { Err(E::custom("not a whole number")) }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Int64, E> {
                text.parse().map(Int64).map_err(E::custom)
            }

            fn visit_unit<E: Error>(self) -> Result<Int64, E> {
                Ok(Int64(0))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_success_is_read_in_every_form_that_protobuf_allows() {
        for (text, expected) in [
            ("{}", Some((0, ""))),
            (r#"{"partialSuccess":{}}"#, Some((0, ""))),
            (r#"{"partialSuccess":null}"#, Some((0, ""))),
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#, Some((3, "no"))),
            (r#" {"partialSuccess":{"rejectedSpans":3,"more":[{}]},"more":1} "#, Some((3, ""))),
            (r#"{"partialSuccess":{"rejectedSpans":3.0,"errorMessage":null}}"#, Some((3, ""))),
            (r#"{"partialSuccess":{"rejectedDataPoints":"4"}}"#, Some((4, ""))),
            (r#"{"partialSuccess":{"rejectedLogRecords":5}}"#, Some((5, ""))),
            (r#"{"partialSuccess":{"rejectedSpans":null}}"#, Some((0, ""))),
            (r#"{"partialSuccess":{"rejectedSpans":"-1"}}"#, Some((-1, ""))),
            (r#"{"partialSuccess":{"rejectedSpans":1.5}}"#, None),
            (r#"{"partialSuccess":{"rejectedSpans":"three"}}"#, None),
            (r#"{"partialSuccess":{"rejectedSpans":[3]}}"#, None),
            (r#"{"partialSuccess":{"rejectedSpans":99999999999999999999}}"#, None),
            (r#"{"partialSuccess":3}"#, None),
            ("\"OK\"", None),
            ("{", None),
        ] {
            let read = read::<ExportResponse>(text.as_bytes()).map(ExportResponse::partial_success);
            let read = read.as_ref().map(|read| (read.rejected, read.error_message.as_str()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
