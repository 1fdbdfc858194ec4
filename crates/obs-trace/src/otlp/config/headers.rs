//! Headers that a collector wants to see, such as a key.

use ureq::http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
};
use ureq::http::{HeaderName, HeaderValue};

use crate::Error;

/// By their names. What they say is a secret: it is never shown, and neither is what was refused.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::otlp) struct Headers(Vec<(String, String)>);

/// What a request says of itself.
const OWN: [HeaderName; 7] =
    [ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

impl Headers {
    /// The last value given under a name counts, in whichever case that is.
    pub(in crate::otlp) fn set(&mut self, name: String, value: String) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.0.push((name, value));
    }

    /// As they are sent.
    pub(in crate::otlp) fn parse(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        self.0.iter().map(|(name, value)| header(name, value).map_err(Error::header)).collect()
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = name.parse::<HeaderName>().map_err(|_| "a name has characters that none can have")?;
    if OWN.contains(&name) {
        return Err("a name is one that each request has anyway");
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("a value has characters other than the visible ones of ASCII");
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| "a value is none that a header can have")?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
