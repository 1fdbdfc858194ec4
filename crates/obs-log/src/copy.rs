//! Short texts, copied without a call: most pieces of a line are shorter than the call of `memcpy` takes long.

/// A text of at most this length is copied in a fixed number of bytes.
const SHORT: usize = 48;

/// A text that is made once and copied often.
#[derive(Debug)]
pub(crate) struct Ready {
    short: [u8; SHORT],
    length: usize,
    /// What is longer.
    long: Vec<u8>,
}

impl Default for Ready {
    fn default() -> Ready {
        Ready { short: [0; SHORT], length: 0, long: Vec::new() }
    }
}

impl Ready {
    /// Makes it what `write` appends.
    pub(crate) fn set(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.long.clear();
        self.long.shrink_to(SHORT);
        write(&mut self.long);
        self.length = self.long.len();
        if let Some(short) = self.short.get_mut(..self.length) {
            short.copy_from_slice(&self.long);
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.long
    }

    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.length <= SHORT {
            let end = out.len() + self.length;
            out.extend_from_slice(&self.short);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.long);
        }
    }
}

/// Appends `bytes`.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        0 => {}
        1..4 => bytes.iter().for_each(|&byte| out.push(byte)),
        4..=8 => overlapping::<4>(out, bytes),
        9..=16 => overlapping::<8>(out, bytes),
        17..=32 => overlapping::<16>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// Appends the first and the last `N` of `bytes`, the last ones in their place.
#[inline]
fn overlapping<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        let end = out.len() + bytes.len();
        out.extend_from_slice(first);
        out.truncate(end - N);
        out.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_out_as_they_went_in() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut ready = Ready::default();
        for length in (0..100).chain((0..100).rev()) {
            let mut out = b"before".to_vec();
            put(&mut out, &bytes[..length]);
            ready.set(|text| text.extend_from_slice(&bytes[..length]));
            ready.write(&mut out);
            assert_eq!(out, [b"before", &bytes[..length], &bytes[..length]].concat());
            assert_eq!(ready.as_bytes(), &bytes[..length]);
        }
    }
}
