//! The body of a request, compressed or not.

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::config::Compression;

pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) is_gzipped: bool,
}

impl Payload {
    pub(super) fn new(bytes: Vec<u8>, compression: Compression) -> Payload {
        match compression {
            Compression::Gzip => Payload { bytes: gzipped(&bytes), is_gzipped: true },
            Compression::Off => Payload { bytes, is_gzipped: false },
        }
    }

    /// The same without compression.
    pub(super) fn unpacked(self) -> Payload {
        if !self.is_gzipped {
            return self;
        }
        let mut bytes = Vec::new();
        let read = GzDecoder::new(self.bytes.as_slice()).read_to_end(&mut bytes);
        read.expect("what was compressed here can be decompressed");
        Payload { bytes, is_gzipped: false }
    }
}

/// The fastest level: spans repeat themselves so much that it already leaves a quarter of them.
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compressed_and_can_be_had_without() {
        let spans = b"hearthnet.capability".repeat(1_000);
        let packed = Payload::new(spans.clone(), Compression::Gzip);
        assert!(packed.is_gzipped && packed.bytes.len() < spans.len() / 10);
        let unpacked = packed.unpacked();
        assert!(!unpacked.is_gzipped && unpacked.bytes == spans);
        assert_eq!(Payload::new(spans.clone(), Compression::Off).unpacked().bytes, spans);
    }
}
