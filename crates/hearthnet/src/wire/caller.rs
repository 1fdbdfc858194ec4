//! Caller of a call, as lines of the log name it.

use std::net::IpAddr;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use obs_facade::log::log::kv::{Error, Key, Source, Value, VisitSource};
use obs_facade::log::log::{Log, Metadata, Record};
use obs_facade::metrics::{self, CounterFamily};
use obs_facade::trace;

use super::signing::identity;

/// Header with the node ID that a caller gives itself.
pub(crate) const FROM: HeaderName = HeaderName::from_static("x-hearthnet-from");

const FROM_FIELD: &str = "from";
const VERIFIED_FIELD: &str = "from_verified";
const ADDRESS_FIELD: &str = "address";

/// Address of a caller, and the node ID that it gives itself.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    address: IpAddr,
    /// ID of the right form. It proves nothing before the signature is verified.
    from: Option<HeaderValue>,
    is_verified: bool,
}

impl Caller {
    /// Reads the caller of a request from `address`. An ID of another form is left out and counted.
    pub(crate) fn of(headers: &HeaderMap, address: IpAddr) -> Caller {
        // An IPv4 caller of a dual-stack socket has an IPv6 address.
        Caller { address: address.to_canonical(), from: claimed(headers).cloned(), is_verified: false }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the ID that the caller gives itself.
    pub(crate) fn from(&self) -> Option<&str> {
        self.from.as_ref().and_then(|from| from.to_str().ok())
    }

    /// Notes that the caller has signed the call with the key of its ID.
    pub(crate) fn verified(&mut self) {
        self.is_verified = true;
        self.name_on_done_line();
        // The caller may mark the trace from here on.
        if let (Some(from), Some(trace)) = (self.from(), trace::current_trace()) {
            trace.set_origin(from);
        }
    }

    /// Adds the ID to the line `done` of the current trace. The facade's layer adds the address.
    pub(crate) fn name_on_done_line(&self) {
        if let (Some(from), Some(trace)) = (self.from(), trace::current_trace()) {
            trace.set_done_field(FROM_FIELD, from);
            trace.set_done_field(VERIFIED_FIELD, self.is_verified);
        }
    }

    /// Returns a logger that adds the caller to each line of `logger`.
    pub(crate) fn on<'a, L: Log>(&'a self, logger: &'a L) -> OfCaller<'a, L> {
        OfCaller { caller: self, logger }
    }
}

/// Returns the value of the header that names the caller, if it has the form of a node ID.
fn claimed(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(FROM).iter();
    let first = values.next()?;
    let reason = match values.next() {
        // Two names would leave open which of them calls.
        Some(_) => "repeated",
        None if first.to_str().is_ok_and(identity::is_id) => return Some(first),
        None => "malformed",
    };
    invalid_ids().inc([reason]);
    None
}

fn invalid_ids() -> &'static CounterFamily<1> {
    // A look-up by name takes the lock of the registry.
    static INVALID: LazyLock<CounterFamily<1>> = LazyLock::new(|| {
        metrics::counter(
            "hearthnet_caller_ids_invalid_total",
            "Calls whose `X-HearthNet-From` is no node ID, so that no line shows it.",
            ["reason"],
        )
    });
    &INVALID
}

/// Logger of lines about a call, with its caller before their own fields.
#[derive(Debug)]
pub(crate) struct OfCaller<'a, L> {
    caller: &'a Caller,
    logger: &'a L,
}

impl<L: Log> Log for OfCaller<'_, L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let fields = Fields { caller: self.caller, rest: &record.key_values() };
        self.logger.log(&record.to_builder().key_values(&fields).build());
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

struct Fields<'a> {
    caller: &'a Caller,
    rest: &'a dyn Source,
}

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        // The log knows a static key by its address.
        let key = Key::from_str_static;
        if let Some(from) = self.caller.from() {
            visitor.visit_pair(key(FROM_FIELD), from.into())?;
            visitor.visit_pair(key(VERIFIED_FIELD), self.caller.is_verified.into())?;
        }
        let address = &self.caller.address;
        visitor.visit_pair(key(ADDRESS_FIELD), Value::from_display(address))?;
        self.rest.visit(visitor)
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;
    use obs_facade::testing::Capture;
    use obs_facade::{Logger, warn};
    use serde_json::json;

    use super::*;

    const LOG: Logger = Logger::new("test");

    fn line(caller: &Caller) -> serde_json::Value {
        let obs = Capture::new();
        obs.run(|| warn!(logger: caller.on(&LOG), reason = "why"; "refused"));
        obs.logs().all()[0].clone()
    }

    fn headers(names: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(FROM, HeaderValue::from_bytes(name).unwrap());
        }
        headers
    }

    #[test]
    fn a_line_names_the_caller_and_tells_whether_its_id_is_verified() {
        let id = identity::id_of(&[7; 32]);
        let mapped = "::ffff:192.168.1.40".parse().unwrap();
        let mut caller = Caller::of(&headers(&[id.as_bytes()]), mapped);
        let shown = line(&caller);
        assert_eq!((&shown["from"], &shown["from_verified"]), (&json!(id), &json!(false)));
        assert_eq!((&shown["address"], &shown["reason"]), (&json!("192.168.1.40"), &json!("why")));
        caller.verified();
        assert_eq!(line(&caller)["from_verified"], true);
    }

    #[test]
    fn a_text_that_is_no_id_is_left_out_and_counted() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let id = identity::id_of(&[7; 32]);
        let long = [b'x'; 8_000];
        let hostile: [&[&[u8]]; 7] = [
            &[b""],
            &[b"ada"],
            &[b"ed25519:\"}\tINFO forged"],
            &[b"ed25519:\xc2\xa0\xff"],
            &[&long],
            &[b" ed25519:AAAA"],
            &[id.as_bytes(), id.as_bytes()],
        ];
        for names in hostile {
            let shown = line(&Caller::of(&headers(names), "::1".parse().unwrap()));
            assert_eq!((&shown["from"], &shown["from_verified"]), (&json!(null), &json!(null)), "{shown}");
            assert_eq!(shown["address"], "::1");
        }
        Caller::of(&HeaderMap::new(), "::1".parse().unwrap());
        let counted = |reason| {
            let labels = [("reason", reason)];
            metrics::testing::value(&registry, "hearthnet_caller_ids_invalid_total", &labels)
        };
        assert_eq!((counted("malformed"), counted("repeated")), (Some(6.0), Some(1.0)));
    }
}
