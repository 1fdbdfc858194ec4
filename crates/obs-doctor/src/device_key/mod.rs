//! The node's device key: read access for the checks, and the repair of its mode.

mod key_file;
mod repair;

pub use key_file::device_node_id;
pub(crate) use key_file::{
    KeyFile, SEED_BYTES, expected_owner, is_loop, node_id, open, proven_key, public_path, read_exactly,
    seed_path,
};
pub use repair::{Repair, RepairError};
