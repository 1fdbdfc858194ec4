//! The crate ulid.

use std::cell::RefCell;
use std::hint::black_box;

use ulid::{Generator, Ulid};

use super::ids::{Ids, time_over};
use super::measure::time;
use crate::harness::{Scale, Values};

pub(super) fn check() -> Result<(), String> {
    let id = Ulid::generate();
    match Ulid::from_string(&id.to_string()) {
        Ok(same) if same == id => Ok(()),
        other => Err(format!("{id} reads back as {other:?}")),
    }
}

pub(super) fn measure(task: &str, scale: Scale) -> Values {
    let make = |calls| time(calls, || _ = black_box(Ulid::generate()));
    if task == "ids" { ids(make).measure(scale) } else { Values::new() }
}

pub(super) fn measure_generator(task: &str, scale: Scale) -> Values {
    let make = |calls| {
        let generator = RefCell::new(Generator::new());
        time(calls, || _ = black_box(generator.borrow_mut().generate().is_ok()))
    };
    if task != "ids" {
        return Values::new();
    }
    // Parsing and printing are the same for every generator.
    ids(make).measure(scale).into_iter().filter(|(column, _)| column == "id-make").collect()
}

fn ids(make: fn(usize) -> f64) -> Ids {
    Ids {
        make,
        format: |calls| {
            let ids: [Ulid; 16] = std::array::from_fn(|_| Ulid::generate());
            time_over(&ids, calls, |id| {
                let mut text = [0; 26];
                id.array_to_str(&mut text);
                text
            })
        },
        parse: |calls| {
            let texts: [String; 16] = std::array::from_fn(|_| Ulid::generate().to_string());
            time_over(&texts, calls, |text| Ulid::from_string(text).is_ok())
        },
    }
}
