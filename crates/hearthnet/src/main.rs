//! The `hearthnet` command.
fn main() {}
