//! Signatures: identities, canonical JSON, signed calls and protection from their replay.

pub(crate) mod canonical;
pub(crate) mod identity;
pub(crate) mod replay;
pub(crate) mod signature;
