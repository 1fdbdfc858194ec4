//! Lines around the selected ones, and the last ones of them.

use std::collections::VecDeque;

/// Maximum number of bytes of lines that are kept for the end of a search.
const KEPT_BYTES: usize = 256 << 20;

/// Part of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Line(Vec<u8>),
    /// Line that is shown because of another one.
    Context(Vec<u8>),
    /// Message about damage.
    Damage(String),
    /// Place at which lines are left out.
    Gap,
}

impl Item {
    fn is_selected(&self) -> bool {
        matches!(self, Item::Line(_) | Item::Damage(_))
    }

    fn length(&self) -> usize {
        match self {
            Item::Line(bytes) | Item::Context(bytes) => bytes.len(),
            Item::Damage(text) => text.len(),
            Item::Gap => 0,
        }
    }
}

/// Selection with context, whose last lines may be kept until the end of the search.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Number of lines before and after a selected one.
    context: usize,
    before: VecDeque<Vec<u8>>,
    /// Number of lines that follow a selected one and are still to be shown.
    after: usize,
    /// Whether a line was shown.
    is_begun: bool,
    /// Whether a line was left out since.
    has_gap: bool,
    last: Option<Last>,
    /// Items that are to be shown.
    ready: VecDeque<Item>,
}

/// Last items of a search.
#[derive(Debug, Default)]
struct Last {
    limit: usize,
    items: VecDeque<Item>,
    selected: usize,
    bytes: usize,
}

impl Selection {
    /// Creates a selection with `context` lines around each selected one. With `limit`, the last selected lines are
    /// kept until [`Selection::release`].
    pub(super) fn new(context: usize, limit: Option<usize>) -> Selection {
        let last = limit.map(|limit| Last { limit, ..Last::default() });
        Selection { context, last, ..Selection::default() }
    }

    /// Returns whether every selected line is to be shown at once, and no other.
    pub(super) fn is_plain(&self) -> bool {
        self.context == 0 && self.last.is_none()
    }

    pub(super) fn has_context(&self) -> bool {
        self.context > 0
    }

    /// Adds a selected line.
    pub(super) fn select(&mut self, item: Item) {
        if self.context > 0 && self.has_gap && self.is_begun {
            self.add(Item::Gap);
        }
        while let Some(line) = self.before.pop_front() {
            self.add(Item::Context(line));
        }
        self.add(item);
        (self.after, self.is_begun, self.has_gap) = (self.context, true, false);
    }

    /// Adds a line that is not selected.
    pub(super) fn pass(&mut self, line: &[u8]) {
        if self.after > 0 {
            self.after -= 1;
            self.add(Item::Context(line.to_vec()));
            return;
        }
        let mut buffer = match self.before.len() < self.context {
            true => Vec::new(),
            false => {
                self.has_gap = true;
                self.before.pop_front().unwrap_or_default()
            }
        };
        buffer.clear();
        buffer.extend_from_slice(line);
        self.before.push_back(buffer);
    }

    /// Returns the next item that is to be shown.
    pub(super) fn next(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Makes the kept lines ready. Later ones are shown at once.
    pub(super) fn release(&mut self) {
        self.ready.extend(self.last.take().map(|last| last.items).unwrap_or_default());
    }

    fn add(&mut self, item: Item) {
        match &mut self.last {
            Some(last) => last.add(item, self.context),
            None => self.ready.push_back(item),
        }
    }
}

impl Last {
    fn add(&mut self, item: Item, context: usize) {
        if self.limit == 0 {
            return;
        }
        self.selected += usize::from(item.is_selected());
        self.bytes += item.length();
        self.items.push_back(item);
        // Lines that fill the memory are of a hostile or broken writer.
        while self.selected > self.limit || self.bytes > KEPT_BYTES && self.selected > 1 {
            self.drop_first(context);
        }
    }

    /// Makes the first selected line one of context, and drops what is not context of the next one.
    fn drop_first(&mut self, context: usize) {
        if let Some(first) = self.items.iter_mut().find(|item| item.is_selected()) {
            self.selected -= 1;
            if let Item::Line(bytes) = first {
                *first = Item::Context(std::mem::take(bytes));
            } else {
                self.bytes -= first.length();
                *first = Item::Gap;
            }
        }
        let is_ahead = |item: &&Item| !item.is_selected();
        let ahead = self.items.iter().take_while(is_ahead).count();
        let gap = self.items.iter().take(ahead).rposition(|item| *item == Item::Gap).map_or(0, |gap| gap + 1);
        for item in self.items.drain(..gap.max(ahead.saturating_sub(context))) {
            self.bytes -= item.length();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs lines through a selection of those in upper case. Context is in lower case, and a gap is `-`.
    fn shown(context: usize, limit: Option<usize>, lines: &str) -> String {
        let mut selection = Selection::new(context, limit);
        for letter in lines.chars() {
            let line = letter.to_string().into_bytes();
            match letter.is_uppercase() {
                true => selection.select(Item::Line(line)),
                false if context > 0 => selection.pass(&line),
                false => {}
            }
        }
        selection.release();
        let letter = |item| match item {
            Item::Line(line) | Item::Context(line) => char::from(line[0]),
            Item::Gap => '-',
            Item::Damage(_) => '!',
        };
        std::iter::from_fn(|| selection.next()).map(letter).collect()
    }

    #[test]
    fn lines_around_the_selected_ones_are_shown_once() {
        for (context, lines, expected) in [
            (0, "aBcD", "BD"),
            (1, "abCde", "bCd"),
            (1, "abCdefGh", "bCd-fGh"),
            (2, "abCdefGh", "abCdefGh"),
            (1, "aBcDe", "aBcDe"),
            (1, "ABc", "ABc"),
            (3, "", ""),
            (3, "abc", ""),
        ] {
            assert_eq!(shown(context, None, lines), expected, "{lines}");
        }
    }

    #[test]
    fn the_last_lines_keep_their_context() {
        for (context, limit, lines, expected) in [
            (0, 2, "ABCD", "CD"),
            (0, 0, "AB", ""),
            (1, 0, "aBc", ""),
            (0, 9, "AB", "AB"),
            (1, 1, "abCdefGhi", "fGh"),
            (1, 1, "aBCd", "BCd"),
            (1, 2, "aBcDefGhi", "cDefGh"),
            (1, 2, "aBcdefGhijKl", "fGh-jKl"),
            (2, 1, "abCdEf", "CdEf"),
        ] {
            assert_eq!(shown(context, Some(limit), lines), expected, "{lines}");
        }
    }
}
