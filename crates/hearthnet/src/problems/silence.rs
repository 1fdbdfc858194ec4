//! Silence of a problem, checked before it is applied.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Longest silence. A fault that nobody wants to see for longer is better mended, or its level set to `off`.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Body of a request: one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mute_seconds: Option<u64>,
    /// Time in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mute_until: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unmute: bool,
}

/// Bodies that are allowed.
const ALLOWED: &str =
    "send {\"mute_seconds\": 7200}, {\"mute_until\": \"2026-11-28T20:00:00Z\"} or {\"unmute\": true}";

impl Wish {
    /// Returns the end of the silence; `None` to end it now. The error is a text for people.
    pub(crate) fn until(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        let until = match self {
            Wish { mute_seconds: None, mute_until: None, unmute: true } => return Ok(None),
            Wish { mute_seconds: Some(seconds), mute_until: None, unmute: false } => {
                let length = chrono::Duration::from_std(Duration::from_secs(*seconds)).ok();
                length.and_then(|length| now.checked_add_signed(length)).ok_or_else(too_long)?
            }
            Wish { mute_seconds: None, mute_until: Some(until), unmute: false } => {
                let until = DateTime::parse_from_rfc3339(until);
                until
                    .map_err(|_| format!("`mute_until` is no time in RFC 3339; {ALLOWED}"))?
                    .with_timezone(&Utc)
            }
            _ => return Err(format!("the body has none of the fields, or several; {ALLOWED}")),
        };
        match until.signed_duration_since(now).to_std() {
            Ok(length) if length.is_zero() => Err(in_the_past()),
            Ok(length) if length > LONGEST => Err(too_long()),
            Ok(_) => Ok(Some(until)),
            Err(_) => Err(in_the_past()),
        }
    }
}

fn in_the_past() -> String {
    "the silence would be over already; choose a time in the future".to_owned()
}

fn too_long() -> String {
    "the silence is too long; choose a year at most".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_has_an_end_within_a_year() {
        let now: DateTime<Utc> = "2026-11-28T20:00:00Z".parse().unwrap();
        let until = |body: &str| {
            let wish: Wish = serde_json::from_str(body).map_err(|error| error.to_string())?;
            wish.until(now).map(|until| until.map(|until| until.to_rfc3339()))
        };
        assert_eq!(until("{\"unmute\":true}"), Ok(None));
        assert_eq!(until("{\"mute_seconds\":7200}"), Ok(Some("2026-11-28T22:00:00+00:00".to_owned())));
        let later = Ok(Some("2026-11-28T20:30:00+00:00".to_owned()));
        assert_eq!(until("{\"mute_until\":\"2026-11-28T21:30:00+01:00\"}"), later);
        for (body, words) in [
            ("{}", "none of the fields"),
            ("{\"unmute\":false}", "none of the fields"),
            ("{\"unmute\":true,\"mute_seconds\":1}", "or several"),
            ("{\"mute_seconds\":0}", "in the future"),
            ("{\"mute_seconds\":18446744073709551615}", "a year at most"),
            ("{\"mute_until\":\"2026-11-28T19:00:00Z\"}", "in the future"),
            ("{\"mute_until\":\"2036-11-28T19:00:00Z\"}", "a year at most"),
            ("{\"mute_until\":\"soon\"}", "RFC 3339"),
            ("{\"mute_seconds\":-1}", "invalid value"),
            ("{\"mute\":1}", "unknown field"),
        ] {
            let error = until(body).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
