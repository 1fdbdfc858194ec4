//! `cargo xtask memory`: builds and runs the program that measures the memory of traces.

use lexopt::prelude::*;

use crate::{Done, cargo};

pub(crate) fn run(mut args: lexopt::Parser) -> Done {
    let mut run = cargo::command();
    run.args(["run", "--release", "--package", "obs-trace", "--example", "memory", "--"]);
    while let Some(arg) = args.next()? {
        match arg {
            Value(traces) => run.arg(traces.parse::<u64>()?.to_string()),
            other => return Err(other.unexpected().into()),
        };
    }
    Ok(cargo::status(run.current_dir(cargo::root()))?)
}
