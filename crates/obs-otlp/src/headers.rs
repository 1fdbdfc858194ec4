//! Headers that a collector expects, such as a key.

use ureq::http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
};
use ureq::http::{HeaderName, HeaderValue};

use crate::error::Error;

/// Headers as the user set them. The values are secrets: neither `Debug` nor an error shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

/// Headers that each request sets itself.
const OWN: [HeaderName; 7] =
    [ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

impl Headers {
    /// Sets a header. The last value under a name counts. Names are compared without case.
    pub(crate) fn set(&mut self, name: String, value: String) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.0.push((name, value));
    }

    /// Returns the headers as they are sent.
    pub(crate) fn parse(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        self.0.iter().map(|(name, value)| header(name, value).map_err(Error::header)).collect()
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = name.parse::<HeaderName>().map_err(|_| "the name contains characters that are not allowed")?;
    if OWN.contains(&name) {
        return Err("the name belongs to a header that each request sets itself");
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("the value contains characters other than visible ASCII and spaces");
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| "the value cannot be sent in a header")?;
    // Hides the value in `Debug` of ureq's types.
    value.set_sensitive(true);
    Ok((name, value))
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
