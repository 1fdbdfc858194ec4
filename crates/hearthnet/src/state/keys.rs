//! Key files of this device.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::wire::signing::identity::Identity;

/// Reads `device.ed25519`, and checks that `device.pub` belongs to it if it exists.
pub(crate) fn load(keys_dir: &Path) -> Result<Identity, Failure> {
    let identity = Identity::from_seed(&read_key(&seed_file(keys_dir))?);
    let public = public_file(keys_dir);
    if public.exists() && read_key(&public)? != identity.public() {
        return Err(Failure::error(format!(
            "{} does not belong to device.ed25519 in the same folder: move it away and run `hearthnet init`",
            public.display()
        )));
    }
    Ok(identity)
}

pub(crate) fn seed_file(keys_dir: &Path) -> PathBuf {
    keys_dir.join("device.ed25519")
}

pub(crate) fn public_file(keys_dir: &Path) -> PathBuf {
    keys_dir.join("device.pub")
}

fn read_key(path: &Path) -> Result<[u8; 32], Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    bytes.as_slice().try_into().map_err(|_| {
        Failure::error(format!(
            "{} has {} bytes, but an Ed25519 key has 32: restore it from a backup",
            path.display(),
            bytes.len()
        ))
    })
}
