//! `cargo xtask doc`: builds the documentation of the libraries, without that of their dependencies.

use lexopt::prelude::*;

use crate::{Done, cargo};

pub(crate) struct Options {
    open: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { open: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("open") => options.open = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(options: &Options) -> Done {
    let mut command = cargo::command();
    command.args(["doc", "--no-deps", "--lib", "--all-features"]);
    command.args(cargo::LIBRARIES.iter().flat_map(|library| ["--package", library]));
    if options.open {
        command.arg("--open");
    }
    // A broken link is an error here, because a reader would find it.
    command.env("RUSTDOCFLAGS", "-Dwarnings").current_dir(cargo::root());
    Ok(cargo::status(&mut command)?)
}
