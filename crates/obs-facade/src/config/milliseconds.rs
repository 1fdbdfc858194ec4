//! Milliseconds, as a number or `"off"`.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Milliseconds of a setting that can be off, which is 0. Signed, so that a negative number gets the setting's own error.
pub(super) struct Milliseconds(pub(super) i128);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Milliseconds, D::Error> {
        deserializer.deserialize_any(NumberOrOff)
    }
}

struct NumberOrOff;

impl Visitor<'_> for NumberOrOff {
    type Value = Milliseconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of milliseconds, or \"off\"")
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Milliseconds, E> {
        Ok(Milliseconds(ms.into()))
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Milliseconds, E> {
        Ok(Milliseconds(ms.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Milliseconds, E> {
        match text {
            "off" => Ok(Milliseconds(0)),
            _ => Err(E::invalid_value(Unexpected::Other("another text"), &self)),
        }
    }
}
