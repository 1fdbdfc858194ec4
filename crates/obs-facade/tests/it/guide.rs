//! The guide shows the lines that its forms write.

use std::time::Duration;

use obs_facade::log::Capture;
use obs_facade::{Secret, info};

const LINES: &str = include_str!("../../src/guide/lines.rs");

/// Row of the guide's table: the form as it is written there, and the fields of the line that it writes.
macro_rules! rows {
    ($([$($field:tt)*])*) => {
        vec![$((stringify!($($field)*), fields(|| info!($($field)*; "m")))),*]
    };
}

/// Returns the line's own fields, as they are in its text.
fn fields(log: impl FnOnce()) -> String {
    let capture = Capture::new();
    let scope = capture.enter();
    log();
    drop(scope);
    let line = capture.text().pop().expect("a line");
    let start = line.find(r#""msg":"m","#).expect("a message") + r#""msg":"m","#.len();
    line[start..].trim_end_matches('}').to_owned()
}

#[test]
fn the_table_of_fields_shows_the_lines_that_the_forms_write() {
    let (peers, address) = (3, "10.0.0.7:7080");
    let gone = std::io::Error::other("gone");
    let rows = rows! {
        [peers = 3]
        [peers]
        [name = "ada"]
        [load = 0.5, ok = true, sign = 'x']
        [found = Some(5), lost = None::<u32>]
        [took = Duration::from_micros(12_340)]
        [node:% = address]
        [point:? = (1, "x")]
        [error:err = gone]
        [list:serde = [1, 2]]
        [bytes = u64::MAX]
        [ratio = f64::NAN]
        ["a key" = 1, r#type = 2]
        [ts = 1]
        [password = "hunter2"]
        [card = Secret::new("4111")]
    };
    let shown: Vec<String> =
        LINES.lines().filter(|line| line.starts_with("//! | `")).map(str::to_owned).collect();
    let written: Vec<String> =
        rows.iter().map(|(form, fields)| format!("//! | `{form}` | `{fields}` |")).collect();
    assert_eq!(shown, written);
}
