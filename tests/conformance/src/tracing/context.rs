use crate::case::{Outcome, Stop};
use crate::harness::Lab;
pub(super) fn propagation(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}
pub(super) fn tasks_keep_apart(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}
pub(super) fn ends(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}
