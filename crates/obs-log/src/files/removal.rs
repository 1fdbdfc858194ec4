//! Hook that learns of a day file before it is removed for its age.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use crate::sync::lock;

/// Learns the path of a day file that is about to be removed.
pub type RemovalHook = fn(&Path);

static HOOK: Mutex<Option<RemovalHook>> = Mutex::new(None);

/// Sets the function that learns of each day file before it is removed because it is too old.
///
/// It is called on the writer's thread, or on that of [`configure`](crate::configure), and must not log or wait for long: lines
/// wait for it. It may open the file, which stays readable then. The last one set wins. A panic in it is caught.
///
/// ```
/// obs_log::set_removal_hook(|path| eprintln!("{} is removed", path.display()));
/// ```
pub fn set_removal_hook(hook: RemovalHook) {
    *lock(&HOOK) = Some(hook);
}

pub(super) fn announce(path: &Path) {
    let hook = *lock(&HOOK);
    if let Some(hook) = hook {
        let _ = catch_unwind(AssertUnwindSafe(|| hook(path)));
    }
}
