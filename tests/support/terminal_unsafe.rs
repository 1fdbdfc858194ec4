//! Characters that untrusted text must not bring to a terminal. Each test harness that checks terminal output includes this
//! file.

/// One test vector for every crate that prints text for people.
///
/// Line feed and tab are not in it, because some outputs print them on purpose. U+200D, the zero width joiner, and the variation
/// selectors are not in it either: emoji such as 👩‍🚀 and ❤️ are made of them, and fall apart without. They leave names that look
/// alike, as letters of other scripts do.
// Formatted by hand: a long element would put each on a line of its own.
#[rustfmt::skip]
pub(crate) const UNSAFE: &[char] = &[
    // C0 controls: bell, cursor moves, carriage return and the escape that begins a control sequence.
    '\0', '\u{1}', '\u{2}', '\u{3}', '\u{4}', '\u{5}', '\u{6}', '\u{7}', '\u{8}', '\u{b}', '\u{c}', '\r',
    '\u{e}', '\u{f}', '\u{10}', '\u{11}', '\u{12}', '\u{13}', '\u{14}', '\u{15}', '\u{16}', '\u{17}',
    '\u{18}', '\u{19}', '\u{1a}', '\u{1b}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}',
    // DEL.
    '\u{7f}',
    // C1 controls: U+009B begins a control sequence by itself, U+0085 ends a line.
    '\u{80}', '\u{81}', '\u{82}', '\u{83}', '\u{84}', '\u{85}', '\u{86}', '\u{87}', '\u{88}', '\u{89}',
    '\u{8a}', '\u{8b}', '\u{8c}', '\u{8d}', '\u{8e}', '\u{8f}', '\u{90}', '\u{91}', '\u{92}', '\u{93}',
    '\u{94}', '\u{95}', '\u{96}', '\u{97}', '\u{98}', '\u{99}', '\u{9a}', '\u{9b}', '\u{9c}', '\u{9d}',
    '\u{9e}', '\u{9f}',
    // Marks that change the direction of writing.
    '\u{61c}', '\u{200e}', '\u{200f}',
    // Line and paragraph separators.
    '\u{2028}', '\u{2029}',
    // Bidirectional embeddings, overrides and isolates.
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
    // Invisible characters, with which two names look alike: soft hyphen, Mongolian vowel separator, zero width space and
    // non-joiner, word joiner, invisible operators, deprecated formats, byte order mark, annotations.
    '\u{ad}', '\u{180e}', '\u{200b}', '\u{200c}', '\u{2060}', '\u{2061}', '\u{2062}', '\u{2063}',
    '\u{2064}', '\u{2065}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}',
    '\u{feff}', '\u{fff9}', '\u{fffa}', '\u{fffb}',
    // Some of the tags U+E0000 to U+E007F, which can spell a text that nobody sees.
    '\u{e0000}', '\u{e0001}', '\u{e0020}', '\u{e0041}', '\u{e007e}', '\u{e007f}',
];
