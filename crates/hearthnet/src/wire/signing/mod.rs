//! Signatures: identities, the canonical form that is signed, signed calls and their replay.

pub(crate) mod canonical;
pub(crate) mod identity;
pub(crate) mod replay;
pub(crate) mod signature;
