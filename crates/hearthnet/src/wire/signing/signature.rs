//! Signed calls: verification of incoming ones and signing of outgoing ones.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{TimeDelta, Utc};
use obs_facade::metrics::standard;
use obs_facade::{Logger, RateLimited, warn};
use serde_json::{Value, json};

use super::identity::{self, BadSignature, Identity};
use crate::wire::caller::{Caller, FROM};
use crate::wire::error::{CallError, Code};
use crate::wire::{VERSION, clock};

pub(crate) const VERSION_HEADER: HeaderName = HeaderName::from_static("x-hearthnet-capability-version");
const COMMUNITY: HeaderName = HeaderName::from_static("x-hearthnet-community");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-hearthnet-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hearthnet-signature");

static LOG: RateLimited = RateLimited::new(Logger::new("hearthnet::wire::signature"));

/// Maximum distance of a signed call's timestamp from now, in either direction.
pub(crate) const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// Verified signature of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof<'a> {
    /// Node ID of the signer.
    pub(crate) signer: &'a str,
    /// Text of the signature. A valid signature has only one text.
    pub(crate) signature: &'a str,
    /// Microseconds since 1970.
    pub(crate) timestamp: i64,
}

/// Returns whether a call has a signature.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURE)
}

/// Verifies the signature of a call. A call without one passes.
pub(crate) fn check<'a>(
    headers: &'a HeaderMap,
    capability: &str,
    body: &Value,
    caller: &Caller,
) -> Result<Option<Proof<'a>>, CallError> {
    if !is_signed(headers) {
        return Ok(None);
    }
    verify(headers, capability, body).map(Some).map_err(|reason| refused(reason, caller))
}

/// Counts a signed call of `caller` that is refused for `reason`, and returns its answer.
pub(crate) fn refused(reason: &'static str, caller: &Caller) -> CallError {
    standard::signature_failures_total().with([reason]).inc();
    warn!(logger: caller.on(&LOG.key("signature")), reason = reason; "the signature of a call is invalid");
    Code::INVALID_SIGNATURE.because(format!("the signature of the call is invalid: {reason}"))
}

/// Verifies a call. The error is a value of `hearthnet_signature_failures_total{reason}`.
fn verify<'a>(headers: &'a HeaderMap, capability: &str, body: &Value) -> Result<Proof<'a>, &'static str> {
    // Two signatures would leave open which of them counts.
    let signature = only(headers, &SIGNATURE).ok_or("malformed")?;
    let from = field(headers, &FROM)?;
    let signed = Signed {
        capability,
        version: if headers.contains_key(VERSION_HEADER) {
            field(headers, &VERSION_HEADER)?
        } else {
            VERSION
        },
        request_id: field(headers, &obs_facade::http::REQUEST_ID)?,
        from,
        community: field(headers, &COMMUNITY)?,
        timestamp: field(headers, &TIMESTAMP)?,
    };
    let timestamp = clock::parse(signed.timestamp).ok_or("malformed")?;
    // Before the signature, because this check is cheaper.
    if Utc::now().signed_duration_since(timestamp).abs() > MAX_AGE {
        return Err("expired");
    }
    identity::verify(&signed.payload(body), signature, signed.from).map_err(|why| match why {
        BadSignature::Malformed => "malformed",
        BadSignature::BadKey => "bad_key",
        BadSignature::Mismatch => "mismatch",
    })?;
    Ok(Proof { signer: from, signature, timestamp: timestamp.timestamp_micros() })
}

fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, &'static str> {
    if headers.contains_key(name) { only(headers, name).ok_or("malformed") } else { Err("missing_header") }
}

/// Returns the value of a header that occurs exactly once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Signed parts of a call, except its body.
struct Signed<'a> {
    capability: &'a str,
    version: &'a str,
    request_id: &'a str,
    from: &'a str,
    community: &'a str,
    timestamp: &'a str,
}

impl Signed<'_> {
    fn payload(&self, body: &Value) -> Value {
        json!({
            "capability": self.capability,
            "version": self.version,
            "request_id": self.request_id,
            "from": self.from,
            "community": self.community,
            "timestamp": self.timestamp,
            "body": body,
        })
    }
}

/// Signs an outgoing call of `capability`. `headers` hold its request ID and, unless it is the current one, its version.
pub(crate) fn sign(
    headers: &mut HeaderMap,
    capability: &str,
    us: &Identity,
    community: &str,
    body: &Value,
) -> Result<(), CallError> {
    // Two equal calls at one moment get different timestamps, so that the second one is no replay.
    let timestamp = clock::unique_now_text();
    let signature = {
        // The signature covers the headers as they are sent.
        let read = |name: &HeaderName| only(headers, name).unwrap_or_default();
        let signed = Signed {
            capability,
            version: if headers.contains_key(VERSION_HEADER) { read(&VERSION_HEADER) } else { VERSION },
            request_id: read(&obs_facade::http::REQUEST_ID),
            from: us.node_id(),
            community,
            timestamp: &timestamp,
        };
        us.sign(&signed.payload(body))
    };
    let fields =
        [(FROM, us.node_id()), (COMMUNITY, community), (TIMESTAMP, &timestamp), (SIGNATURE, &signature)];
    for (name, value) in fields {
        let value =
            HeaderValue::from_str(value).map_err(|_| Code::INTERNAL_ERROR.because("cannot sign the call"))?;
        headers.insert(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use obs_facade::http::{CAPABILITY, REQUEST_ID};
    use obs_facade::metrics::Registry;

    use super::*;

    const ECHO: &str = "experimental.echo";

    fn signed_call(body: &Value) -> HeaderMap {
        let us = Identity::from_seed(&[7; 32]);
        let mut headers = HeaderMap::new();
        headers.insert(CAPABILITY, HeaderValue::from_static(ECHO));
        headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
        headers.insert(REQUEST_ID, HeaderValue::from_static("01HXR3F2Q4T6V8X0Z2B4D6F8HJ"));
        sign(&mut headers, ECHO, &us, us.node_id(), body).unwrap();
        headers
    }

    fn check<'a>(
        headers: &'a HeaderMap,
        capability: &str,
        body: &Value,
    ) -> Result<Option<Proof<'a>>, CallError> {
        let caller = Caller::of(headers, std::net::Ipv4Addr::LOCALHOST.into());
        super::check(headers, capability, body, &caller)
    }

    #[test]
    fn a_signed_call_passes_and_each_change_has_its_reason() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let body = json!({ "input": { "text": "Grüße", "n": 1.0 } });
        let headers = signed_call(&body);
        assert_eq!(check(&headers, ECHO, &body).unwrap().unwrap().signer, headers[FROM]);
        assert_eq!(check(&HeaderMap::new(), ECHO, &body), Ok(None), "an unsigned call is not checked");

        let refused = |spoil: &dyn Fn(&mut HeaderMap), reason: &str| {
            let mut headers = headers.clone();
            spoil(&mut headers);
            assert_eq!(check(&headers, ECHO, &body).unwrap_err().code, Code::INVALID_SIGNATURE);
            let count = obs_facade::metrics::testing::value(
                &registry,
                "hearthnet_signature_failures_total",
                &[("reason", reason)],
            );
            assert!(count >= Some(1.0), "{reason}");
        };
        let set = |name: HeaderName, value: &'static str| {
            move |headers: &mut HeaderMap| drop(headers.insert(&name, HeaderValue::from_static(value)))
        };
        refused(&set(SIGNATURE, "ed25519:zzz"), "malformed");
        refused(&|headers| assert!(headers.append(SIGNATURE, headers[SIGNATURE].clone())), "malformed");
        refused(&set(TIMESTAMP, "yesterday"), "malformed");
        refused(&set(TIMESTAMP, "2020-01-01T00:00:00Z"), "expired");
        refused(&set(FROM, "7H4G-Y9KL"), "bad_key");
        refused(&set(REQUEST_ID, "01HXR3F2Q4T6V8X0Z2B4D6F8HK"), "mismatch");
        refused(&|headers| drop(headers.remove(COMMUNITY)), "missing_header");
        refused(
            &|headers| drop(headers.insert(FROM, HeaderValue::from_bytes(b"\xff").unwrap())),
            "malformed",
        );
        assert!(check(&headers, "llm.chat", &body).is_err());
        assert!(check(&headers, ECHO, &json!({ "input": { "text": "other" } })).is_err());
    }
}
