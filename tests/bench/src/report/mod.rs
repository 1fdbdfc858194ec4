//! Report of a run: text for a terminal, JSON with every round for programs, and the page `docs/benchmarks.md` with its plots.

mod bars;
mod json;
mod machine;
mod page;
mod text;
mod versions;

use std::fs;
use std::path::Path;

pub(crate) use self::json::{read, to_json};
pub(crate) use self::machine::Machine;
pub(crate) use self::text::text;
use crate::Failure;
use crate::harness::{Area, Results};

/// Writes the page, and its plots beside it in the folder `images`.
pub(crate) fn write(folder: &Path, machine: &Machine, measured: &[(Area, Results)]) -> Result<(), Failure> {
    let images = folder.join("images");
    fs::create_dir_all(&images)?;
    for (area, results) in measured {
        for plot in &area.plots {
            fs::write(images.join(plot.file()), bars::draw(plot, area, results))?;
        }
    }
    fs::write(folder.join("benchmarks.md"), page::page(machine, measured))?;
    Ok(())
}
