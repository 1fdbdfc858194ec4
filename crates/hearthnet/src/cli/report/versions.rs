//! Versions of the program and of the system.

use serde_json::json;
use sysinfo::System;

use crate::version::{COMMIT, VERSION};

/// Returns the versions. The name of the machine is left out.
pub(super) fn read() -> String {
    let document = json!({
        "hearthnet": { "version": VERSION, "commit": COMMIT },
        "system": {
            "name": System::name(),
            "version": System::long_os_version(),
            "kernel": System::kernel_version(),
            "machine": std::env::consts::ARCH,
        },
        "sqlite": rusqlite::version(),
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
    });
    document.to_string()
}
