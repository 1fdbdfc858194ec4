//! Characters that untrusted text must not bring to a terminal. Each test harness that checks terminal output includes this
//! file.

/// One test vector for every crate that prints text for people.
///
/// Line feed and tab are not in it, because some outputs print them on purpose.
pub(crate) const UNSAFE: &[char] = &[
    // C0 controls: bell, cursor moves, carriage return and the escape that begins a control sequence.
    '\0', '\u{1}', '\u{2}', '\u{3}', '\u{4}', '\u{5}', '\u{6}', '\u{7}', '\u{8}', '\u{b}', '\u{c}', '\r',
    '\u{e}', '\u{f}', '\u{10}', '\u{11}', '\u{12}', '\u{13}', '\u{14}', '\u{15}', '\u{16}', '\u{17}',
    '\u{18}', '\u{19}', '\u{1a}', '\u{1b}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}', // DEL.
    '\u{7f}', // C1 controls: U+009B begins a control sequence by itself, U+0085 ends a line.
    '\u{80}', '\u{81}', '\u{82}', '\u{83}', '\u{84}', '\u{85}', '\u{86}', '\u{87}', '\u{88}', '\u{89}',
    '\u{8a}', '\u{8b}', '\u{8c}', '\u{8d}', '\u{8e}', '\u{8f}', '\u{90}', '\u{91}', '\u{92}', '\u{93}',
    '\u{94}', '\u{95}', '\u{96}', '\u{97}', '\u{98}', '\u{99}', '\u{9a}', '\u{9b}', '\u{9c}', '\u{9d}',
    '\u{9e}', '\u{9f}', // Marks that change the direction of writing.
    '\u{61c}', '\u{200e}', '\u{200f}', // Line and paragraph separators.
    '\u{2028}', '\u{2029}', // Bidirectional embeddings, overrides and isolates.
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];
