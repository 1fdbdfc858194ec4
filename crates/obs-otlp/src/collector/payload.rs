//! Body of a request, compressed or not.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::config::Compression;

pub(crate) struct Payload {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_gzipped: bool,
}

impl Payload {
    pub(crate) fn new(bytes: Vec<u8>, compression: Compression) -> Payload {
        let gzipped = match compression {
            // Writing to memory does not fail. If it did, the plain body would do.
            Compression::Gzip => gzipped(&bytes).ok(),
            Compression::Off => None,
        };
        let is_gzipped = gzipped.is_some();
        Payload { bytes: gzipped.unwrap_or(bytes), is_gzipped }
    }

    /// Returns the same body without compression.
    pub(crate) fn unpacked(self) -> Payload {
        let mut bytes = Vec::new();
        if !self.is_gzipped || GzDecoder::new(self.bytes.as_slice()).read_to_end(&mut bytes).is_err() {
            return self;
        }
        Payload { bytes, is_gzipped: false }
    }
}

/// Compresses at the fastest level. Spans repeat themselves, so this already leaves a quarter of the bytes.
fn gzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_body_can_be_unpacked() {
        let spans = b"hearthnet.capability".repeat(1_000);
        let packed = Payload::new(spans.clone(), Compression::Gzip);
        assert!(packed.is_gzipped && packed.bytes.len() < spans.len() / 10);
        let unpacked = packed.unpacked();
        assert!(!unpacked.is_gzipped && unpacked.bytes == spans);
        assert_eq!(Payload::new(spans.clone(), Compression::Off).unpacked().bytes, spans);
    }
}
