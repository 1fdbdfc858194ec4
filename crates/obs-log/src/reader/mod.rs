//! Reader of the day files of a folder, for programs that show the log.
//!
//! It reads what the writer and logrotate leave in the folder: plain files, files of finished days in gzip, and files that are
//! renamed, copied, emptied or compressed meanwhile. Each line is delivered once, and a reader that looks again gets the lines
//! that are new.
//!
//! ```
//! use obs_log::reader::{Piece, Reader};
//!
//! # let folder = tempfile::tempdir()?;
//! let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"bus","msg":"joined"}"#;
//! std::fs::write(folder.path().join("2026-05-26.log"), format!("{line}\n"))?;
//! let mut lines = Vec::new();
//! Reader::new(folder.path()).read_new(false, |_file, piece| {
//!     if let Piece::Line(line) = piece {
//!         lines.push(String::from_utf8_lossy(line).into_owned());
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(lines, [line]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod files;
mod head;
mod line_time;
mod window;

pub use self::files::{FileName, Last, Leaving, Look, Piece, Reader, Unpacker, names};
pub use self::head::Head;
pub use self::line_time::LineTime;
pub use self::window::{Side, Window};
