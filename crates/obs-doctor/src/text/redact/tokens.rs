//! Secrets that show by their own form: tokens of services, bytes of keys, private keys in PEM.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

use super::finding::{Finding, find};
use super::kind::SecretKind;

/// Beginnings of tokens that common services issue, and of JSON web tokens (`eyJ`).
const PREFIXES: [&str; 33] = [
    "sk-",
    "sk_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "gsk_",
    "hf_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glrt-",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxo-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AIza",
    "eyJ",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
    "ya29.",
    "shpat_",
    "whsec_",
    "tskey-",
];

/// Beginnings of the identifiers of Amazon's access keys. 16 or more characters in upper case follow.
const AMAZON: [&str; 4] = ["AKIA", "ASIA", "ABIA", "ACCA"];

/// Minimum length of a token in bytes, with its prefix.
const MIN_TOKEN: usize = 12;

/// Finds tokens by their beginning.
pub(super) fn tokens(text: &[u8], found: &mut Vec<Finding>) {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let rest = &text[at..];
        if let Some(length) = token_length(rest) {
            found.push(Finding::new(at, at + length, SecretKind::Token));
            at += length;
        } else {
            at += rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        }
    }
}

fn token_length(text: &[u8]) -> Option<usize> {
    // Most words do not begin like a token. This is the first look at each word of each text.
    if !b"srpghxAenydwStY".contains(&text[0]) {
        return None;
    }
    if AMAZON.iter().any(|prefix| text.starts_with(prefix.as_bytes())) {
        let length =
            text.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
        return (length >= 16).then_some(length);
    }
    let prefix = PREFIXES.iter().find(|prefix| text.starts_with(prefix.as_bytes()))?;
    let has_dots = matches!(*prefix, "eyJ" | "SG." | "ya29.");
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'*')
            || has_dots && matches!(byte, b'.' | b'+' | b'/' | b'=')
    };
    let length = text.iter().take_while(|byte| is_part(byte)).count();
    let length = length - text[..length].iter().rev().take_while(|byte| **byte == b'.').count();
    let rest = &text[prefix.len().min(length)..length];
    // `hf_transfer_enabled` and `sk-learn` are words.
    let has_odd = rest.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (length >= MIN_TOKEN && (has_odd || length >= 24)).then_some(length)
}

/// Finds private keys in PEM, also those of which only the beginning or the end is there.
pub(super) fn pem(text: &[u8], found: &mut Vec<Finding>) {
    let mut from = 0;
    while let Some(mark) = find(&text[from..], b"PRIVATE KEY").map(|mark| from + mark) {
        let line = &text[from..mark];
        let begin = rfind(line, b"-----BEGIN ").map(|begin| from + begin);
        let end = rfind(line, b"-----END ").map(|end| from + end);
        let begin = match (begin, end) {
            (Some(begin), None) => begin,
            (Some(begin), Some(end)) if begin > end => begin,
            // The end of a key whose beginning is missing.
            (_, Some(_)) => from,
            (None, None) => {
                from = mark + 1;
                continue;
            }
        };
        let after = mark + b"PRIVATE KEY".len();
        let end = match begin == from && text[from..].starts_with(b"-----BEGIN ") || begin > from {
            true => find(&text[after..], b"-----END ").map_or(text.len(), |end| after + end + 9),
            false => after,
        };
        // The rest of the last line.
        let tail = text[end..].iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ').count();
        let dashes = text[end + tail..].iter().take_while(|byte| **byte == b'-').count();
        let end = end + tail + dashes;
        found.push(Finding::new(begin, end, SecretKind::Key));
        from = end;
    }
}

fn rfind(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|window| window == wanted)
}

/// Minimum length of base64 that is taken for a key by its looks.
const MIN_KEY: usize = 40;
/// Length of 32 bytes in base64, without padding.
const KEY: usize = 43;
/// The same for a report, where less may be lost than shown.
const MIN_RANDOM: usize = 24;
/// Minimum length of base64 or hex that may hold a text with a secret.
const MIN_ENCODED: usize = 16;
/// Length of the IDs of traces.
const ULID: usize = 26;

/// Finds the bytes of keys. With `is_strict`, shorter runs without a meaning too. `look` finds secrets in decoded text.
pub(super) fn keys(
    text: &[u8],
    is_strict: bool,
    look: &mut dyn FnMut(&[u8]) -> Option<SecretKind>,
    found: &mut Vec<Finding>,
) {
    let mut at = 0;
    while at < text.len() {
        if !is_base64(text[at]) {
            at += 1;
            continue;
        }
        // The digits of an escape are no part of the run.
        let start = if at > 0 && text[at - 1] == b'%' { (at + 2).min(text.len()) } else { at };
        let length = text[start..].iter().take_while(|byte| is_base64(**byte)).count();
        let run = &text[start..start + length];
        let end = start + length;
        if length >= MIN_ENCODED
            && !is_public(&text[..start], run)
            && let Some(kind) = kind_of_run(run, is_strict, look)
        {
            found.push(Finding::new(start, end, kind));
        }
        at = end.max(at + 1);
    }
}

fn kind_of_run(
    run: &[u8],
    is_strict: bool,
    look: &mut dyn FnMut(&[u8]) -> Option<SecretKind>,
) -> Option<SecretKind> {
    if run.iter().all(u8::is_ascii_hexdigit) {
        return match run.len() >= 64 {
            true => Some(SecretKind::Key),
            false => look(&from_hex(run)?),
        };
    }
    // A path may have the length of a key. A key that begins with a slash is rare.
    let is_path = run[0] == b'/';
    // Any base64 with the length of a key is one. Text in base64 has few digits.
    let (changes, odd) = if run.len() == KEY { (0, 0) } else { (35, 8) };
    if !is_path && run.len() >= MIN_KEY && looks_random(run, changes, odd, 7) {
        return Some(SecretKind::Key);
    }
    if !is_path && is_strict && run.len() >= MIN_RANDOM && looks_random(run, 45, 8, 10) {
        return Some(SecretKind::Token);
    }
    look(&from_base64(run)?)
}

/// Returns whether the run belongs to a public key or a digest, by the text before it.
fn is_public(before: &[u8], run: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"ed25519", b"sha256", b"SHA256", b"blake3"];
    const SIGNS: [&[u8]; 4] = [b":", b"%3A", b"%3a", b"%253A"];
    let before_sign = SIGNS.iter().find_map(|sign| before.strip_suffix(*sign));
    before_sign.is_some_and(|before| NAMES.iter().any(|name| before.ends_with(name)))
        || NAMES.iter().any(|name| {
            run.strip_prefix(*name).is_some_and(|rest| rest.starts_with(b"-") || rest.starts_with(b"_"))
        })
}

/// Returns whether the run has all kinds of characters, changes the kind at `changes` per cent of its places at least, to or
/// from a digit or sign at `odd_changes` per cent, and has one sign in `letters` characters at most.
///
/// Words, names of models and paths keep to one kind for longer, or have more signs.
fn looks_random(run: &[u8], changes: usize, odd_changes: usize, letters: usize) -> bool {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut counts = [0; 4];
    run.iter().for_each(|byte| counts[kind(*byte)] += 1);
    let pairs = || run.windows(2).map(|pair| (kind(pair[0]), kind(pair[1])));
    let changed = pairs().filter(|(one, next)| one != next).count();
    // Words in `CamelCase` change between small and capital letters alone.
    let odd = pairs().filter(|(one, next)| one != next && (*one > 1 || *next > 1)).count();
    counts[..3].iter().all(|count| *count > 0)
        && counts[3] * letters <= run.len()
        && changed * 100 >= (run.len() - 1) * changes
        && odd * 100 >= (run.len() - 1) * odd_changes
        && !run.split(|byte| !byte.is_ascii_alphanumeric()).any(is_ulid)
}

fn is_ulid(part: &[u8]) -> bool {
    part.len() == ULID && part.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

fn from_hex(run: &[u8]) -> Option<Vec<u8>> {
    if run.len() < 2 * MIN_ENCODED || !run.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes = run.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    printable(bytes.collect::<Option<Vec<u8>>>()?)
}

fn from_base64(run: &[u8]) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = match run.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        true => &alphabet::URL_SAFE,
        false => &alphabet::STANDARD,
    };
    // A look at 16 characters is enough for nearly every word.
    let head = general_purpose::STANDARD_NO_PAD.decode(&run[..MIN_ENCODED]);
    if head.is_ok_and(|head| printable(head).is_none()) {
        return None;
    }
    // One character too many ends a run that is cut.
    let whole = run.len() - usize::from(run.len() % 4 == 1);
    printable(GeneralPurpose::new(alphabet, config).decode(&run[..whole]).ok()?)
}

/// Returns the bytes if they are a text of ASCII.
fn printable(bytes: Vec<u8>) -> Option<Vec<u8>> {
    bytes.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')).then_some(bytes)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
