//! Parts of log files for the output.

use std::io;

use chrono::{DateTime, Utc};

use super::name::Unpacker;

/// Part of a file, or a message about it. The [`Reader`](super::Reader) has an example.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Line without its newline.
    Line(&'a [u8]),
    /// Number of bytes of the files that were read or left out since the last such piece.
    Passed(u64),
    /// Beginning of a line that is too long.
    TooLong(&'a [u8]),
    /// The rest of a compressed file is damaged.
    Unreadable(io::Error),
    /// The file cannot be opened.
    Unopened(io::Error),
    /// The file has a compression that another program reads.
    Packed(&'static Unpacker),
    /// The file was truncated between the two times, and no other file holds what was written before.
    Truncated(DateTime<Utc>, DateTime<Utc>),
}
