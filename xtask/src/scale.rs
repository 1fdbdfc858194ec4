//! `cargo xtask scale`: builds and runs the program that measures servers over simulated nodes.

use crate::{Done, cargo};

/// Passes all arguments on. The program names those that it does not know.
pub(crate) fn run(mut args: lexopt::Parser) -> Done {
    let mut run = cargo::command();
    run.args(["run", "--release", "--package", "scale", "--"]).args(args.raw_args()?);
    Ok(cargo::status(run.current_dir(cargo::root()))?)
}
