//! Text of a `Display`, which may be long or panic.

use std::fmt::{self, Display, Write as _};

use crate::json::catch::{PANICKED, caught};

/// Returns the text of `value`, up to where its `Display` fails or panics. Bytes beyond `most` are counted and dropped.
pub(crate) fn bounded_text(value: &dyn Display, most: usize) -> String {
    let mut bounded = Bounded { text: String::new(), most, cut: 0 };
    let shown = caught(|| write!(bounded, "{value}"));
    let Bounded { mut text, cut, .. } = bounded;
    if cut > 0 {
        text.push_str(&format!("[{cut} bytes cut]"));
    }
    if shown.is_none() {
        text.push_str(PANICKED);
    }
    text
}

struct Bounded {
    text: String,
    most: usize,
    cut: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.cut == 0 { self.most - self.text.len() } else { 0 };
        let (kept, cut) = text.split_at(text.floor_char_boundary(room));
        self.text.push_str(kept);
        self.cut += cut.len();
        Ok(())
    }
}
