//! Tests of a program that has to start itself and therefore has no test harness: found and chosen by their names all
//! the same, by `cargo test` and by nextest.

use std::env;

/// Runs those of `tests` that the command line asks for; the first that fails ends the program.
pub(crate) fn run(tests: &[(&str, fn())]) {
    let has = |flag: &str| env::args().any(|arg| arg == flag);
    let names: Vec<_> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| {
        let matches = |part: &String| if has("--exact") { name == part } else { name.contains(part) };
        !has("--ignored") && (names.is_empty() || names.iter().any(matches))
    };
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        if has("--list") {
            tell(&format!("{name}: test"));
        } else {
            test();
            tell(&format!("test {name} ... ok"));
        }
    }
}

#[allow(clippy::print_stdout, reason = "a test tells what it does")]
pub(crate) fn tell(text: &str) {
    println!("{text}");
}
