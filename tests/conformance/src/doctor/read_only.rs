//! The doctor changes no file.

use crate::case::{Outcome, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::http::snapshot;

/// A doctor leaves content, time and mode of every file as they were, also with a write-ahead log of a crash.
pub(super) fn changes_nothing(lab: &Lab) -> Outcome {
    unchanged(&Home::initialised(lab)?)?;

    let node = Node::start(Home::initialised(lab)?)?;
    unchanged(&node.kill())
}

fn unchanged(home: &Home) -> Outcome {
    let files = || -> Outcome<_> {
        let mut files = snapshot(&home.data_dir())?;
        // SQLite's shared memory is no data. SQLite rebuilds it when it opens the database.
        files.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
        Ok(files)
    };
    let before = files()?;
    home.hearthnet(&["doctor"])?.exits(0)?;
    home.hearthnet(&["doctor", "--json"])?.exits(0)?;
    let after = files()?;
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, file)| before.get(*path) != Some(file))
        .map(|(path, _)| path.clone())
        .collect();
    equal("files that changed", changed, Vec::<std::path::PathBuf>::new())?;
    equal("files", after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>())
}
