//! The device key on disk: opened once, inspected through one descriptor, its secret wiped after use.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::machine::{Files, RealFiles};

/// Length of an Ed25519 seed and of a public key.
pub(crate) const SEED_BYTES: usize = 32;

/// Returns the ID of the node whose keys are in `keys_dir`, `ed25519:<base64url>`; `None` without a usable key.
///
/// The ID is read from `device.pub`, else derived from the seed in `device.ed25519`.
///
/// ```
/// assert_eq!(obs_doctor::device_node_id(std::path::Path::new("/nosuch")), None);
/// ```
#[must_use]
pub fn device_node_id(keys_dir: &Path) -> Option<String> {
    let public = || read_exactly(&open(&RealFiles, &public_path(keys_dir)).ok()?.file).ok().flatten();
    let valid = |key: Zeroizing<[u8; SEED_BYTES]>| VerifyingKey::from_bytes(&key).ok();
    let derived = || {
        let seed = read_exactly(&open(&RealFiles, &seed_path(keys_dir)).ok()?.file).ok().flatten()?;
        Some(SigningKey::from_bytes(&seed).verifying_key())
    };
    public().and_then(valid).or_else(derived).map(|key| node_id(&key))
}

pub(crate) fn node_id(key: &VerifyingKey) -> String {
    format!("ed25519:{}", URL_SAFE_NO_PAD.encode(key.as_bytes()))
}

pub(crate) fn seed_path(keys_dir: &Path) -> PathBuf {
    keys_dir.join("device.ed25519")
}

pub(crate) fn public_path(keys_dir: &Path) -> PathBuf {
    keys_dir.join("device.pub")
}

/// Open key file with the metadata of its descriptor.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) file: File,
    pub(crate) meta: Metadata,
    /// Target of the path, if that is a symbolic link.
    pub(crate) target: Option<PathBuf>,
}

/// Opens `path`, or the target of a symbolic link, without blocking on a FIFO.
pub(crate) fn open(files: &dyn Files, path: &Path) -> io::Result<KeyFile> {
    let (file, target) = match files.open_no_follow(path) {
        Err(err) if is_loop(&err) => {
            // The second open must not follow a link either, in case the target was replaced meanwhile.
            let target = path.canonicalize()?;
            (files.open_no_follow(&target)?, Some(target))
        }
        opened => (opened?, None),
    };
    let meta = file.metadata()?;
    Ok(KeyFile { file, meta, target })
}

/// Returns whether the error is `ELOOP`: a symbolic link that was not followed, or links in a circle.
pub(crate) fn is_loop(err: &io::Error) -> bool {
    Errno::from_io_error(err) == Some(Errno::LOOP)
}

/// Returns the user that should own the key: the user of this process, or for root, who checks another user's node, the
/// owner of the folder.
pub(crate) fn expected_owner(files: &dyn Files, keys_dir: &Path) -> u32 {
    let me = rustix::process::geteuid();
    let folder = files.metadata(keys_dir).ok().filter(|_| me.is_root());
    folder.map_or(me.as_raw(), |folder| folder.uid())
}

impl KeyFile {
    pub(crate) fn mode(&self) -> u32 {
        self.meta.mode() & 0o7777
    }
}

/// Returns the content if it is exactly 32 bytes, and `None` if it is shorter or longer.
pub(crate) fn read_exactly(mut file: &File) -> io::Result<Option<Zeroizing<[u8; SEED_BYTES]>>> {
    // On the stack, and wiped when dropped. The extra byte detects a file that is too long.
    let mut bytes = Zeroizing::new([0_u8; SEED_BYTES + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    if filled != SEED_BYTES {
        return Ok(None);
    }
    let mut exact = Zeroizing::new([0; SEED_BYTES]);
    exact.copy_from_slice(&bytes[..SEED_BYTES]);
    Ok(Some(exact))
}

/// Returns the public key of `seed`, after one signature has been made and verified.
pub(crate) fn proven_key(seed: &[u8; SEED_BYTES]) -> Option<VerifyingKey> {
    let key = SigningKey::from_bytes(seed);
    let text = b"hearthnet doctor";
    key.verifying_key().verify_strict(text, &key.sign(text)).ok()?;
    Some(key.verifying_key())
}
