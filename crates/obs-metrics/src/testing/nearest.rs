//! The known name that a misspelt one stands for.

/// Returns the name with the fewest differing characters, unless more than a third of them differ. Takes time by the product of
/// the lengths.
///
/// ```
/// let known = ["hits_total", "misses_total"];
/// assert_eq!(obs_metrics::testing::nearest("hit_total", known.into_iter()), Some("hits_total"));
/// assert_eq!(obs_metrics::testing::nearest("errors", known.into_iter()), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let near = known.map(|name| (distance(word, name), name)).filter(|(distance, _)| *distance <= limit);
    // The shorter name of two at the same distance, then the one before in the alphabet, so that the advice is always the same.
    near.min_by_key(|(distance, name)| (*distance, name.len(), *name)).map(|(_, name)| name)
}

/// Returns how many characters have to be inserted, removed or replaced to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Distances of the part of `a` so far to each beginning of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (other, cell) in b.iter().zip(1..) {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[cell];
            row[cell] = replaced.min(diagonal + 1).min(row[cell - 1] + 1);
        }
    }
    row[b.len()]
}
