//! Parts of log files that are shown or said.

use std::io;

use chrono::{DateTime, Utc};

use super::name::Unpacker;

/// A part of a file, or what is to be said of it.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// The beginning of something that is too long to be a line.
    TooLong(&'a [u8]),
    /// From here on a compressed file is damaged.
    Unreadable(io::Error),
    /// The file cannot be opened.
    Unopened(io::Error),
    /// The file has a compression that only another program reads.
    Packed(&'static Unpacker),
    /// The file was truncated between the two times, and no other file has what was written before that.
    Truncated(DateTime<Utc>, DateTime<Utc>),
}
