//! The token that gives access to the console, and its file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{ErrorKind as IoKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// Random bytes of a token. 256 bits cannot be guessed at any rate of attempts.
const BYTES: usize = 32;

/// Letters of a token: two hexadecimal digits a byte.
const LETTERS: usize = 2 * BYTES;

/// Longest file that is read, in bytes. A token and a line break are shorter.
const LONGEST_FILE: u64 = 256;

/// Token that gives access to the console: 64 hexadecimal digits.
///
/// Its `Debug` output does not show it.
///
/// ```
/// use obs_console::Token;
///
/// # let place = tempfile::tempdir()?;
/// let path = place.path().join("console-token");
/// let token = Token::read_or_create(&path)?; // mode 0600
/// assert_eq!(Token::read(&path)?.expose(), token.expose());
/// assert!(token.is(token.expose()) && !token.is("guessed"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Makes a new token.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn random() -> Result<Self, Error> {
        random_letters().map(Token)
    }

    /// Reads the token of a file, or makes a new one and writes it there. Only the file's owner can read the new file.
    ///
    /// A file that appears at the same time is kept, and its token is the one that is returned.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, other users can read it, or it does not hold a token.
    pub fn read_or_create(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        match File::open(path) {
            Err(error) if error.kind() == IoKind::NotFound => {
                create(path, &random_letters()?).map_err(|error| unusable(path, "written", &error))?;
                Token::read(path)
            }
            _ => Token::read(path),
        }
    }

    /// Reads the token of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, other users can read it, or it does not hold a token.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| unusable(path, "read", &error))?;
        require_private(path, &file)?;
        let mut text = String::new();
        file.take(LONGEST_FILE).read_to_string(&mut text).map_err(|error| unusable(path, "read", &error))?;
        let text = text.trim();
        if text.len() != LETTERS || !text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!("{} does not hold a token of {LETTERS} hexadecimal digits", path.display()),
                "remove the file; the node makes a new one when it starts",
            ));
        }
        Ok(Token(text.to_owned()))
    }

    /// Returns the token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether a text is the token. The time that this takes does not depend on the place of a difference.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), text.as_bytes());
        let differing = own.iter().zip(other).fold(0, |bits, (own, other)| black_box(bits | (own ^ other)));
        own.len() == other.len() && differing == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Returns [`LETTERS`] random hexadecimal digits.
pub(super) fn random_letters() -> Result<String, Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Io, format!("no random numbers: {error}"), "look at the system's log")
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that did not exist, whole or not at all.
fn create(path: &Path, letters: &str) -> std::io::Result<()> {
    let draft = draft_of(path);
    let written = write_private(&draft, letters).and_then(|()| match std::fs::hard_link(&draft, path) {
        // Another process was faster. Its token is the one.
        Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
        // File systems without hard links. Two processes could both get here; the later file stays.
        Err(_) => std::fs::rename(&draft, path),
        Ok(()) => Ok(()),
    });
    // After a rename there is no draft any more.
    let _ = std::fs::remove_file(&draft);
    written
}

/// Returns a name in the same folder that only this process uses.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

fn write_private(path: &Path, letters: &str) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(format!("{letters}\n").as_bytes())?;
    file.sync_all()
}

/// Refuses a file that others can read or replace.
#[cfg(unix)]
fn require_private(path: &Path, file: &File) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().map_err(|error| unusable(path, "read", &error))?;
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::Malformed,
            format!("{} is not a file", path.display()),
            "remove it; the node makes the file when it starts",
        ));
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(Error::new(
            ErrorKind::Permissions,
            format!("{} belongs to user {}", path.display(), metadata.uid()),
            "remove the file; the node makes a new one when it starts",
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(Error::new(
            ErrorKind::Permissions,
            format!("other users can read {} (mode {:03o})", path.display(), metadata.mode() & 0o777),
            "remove the file, because others may know the token; the node makes a new one when it starts",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn require_private(_: &Path, _: &File) -> Result<(), Error> {
    Ok(())
}

fn unusable(path: &Path, verb: &str, error: &std::io::Error) -> Error {
    let advice = match error.kind() {
        IoKind::NotFound => "start the node with `hearthnet run`, which makes the file",
        IoKind::PermissionDenied => "use the node's own user or root",
        _ => "check the disk and the folder",
    };
    Error::new(ErrorKind::Io, format!("{} cannot be {verb}: {error}", path.display()), advice)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_is_private_and_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        let token = Token::read_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Token::read_or_create(&path).unwrap().expose(), token.expose());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "no draft is left");
        assert_ne!(Token::random().unwrap().expose(), token.expose());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        Token::read_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Token::read_or_create(&path).unwrap_err().kind(), ErrorKind::Permissions, "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            let _ = writeln!(std::io::stderr(), "skipped: only root can give a file to another user");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        Token::read_or_create(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
        assert_eq!(Token::read(&path).unwrap_err().kind(), ErrorKind::Permissions);
    }

    #[test]
    fn no_more_of_a_file_is_read_than_a_token_takes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        Token::read_or_create(&path).unwrap();
        // More than the machine has memory. The file takes no room on the disk.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(Token::read(&path).unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        for text in ["", "short", &"g".repeat(64), &"a".repeat(65), "\u{fffd}", &"a".repeat(1 << 20)] {
            write_private(&path, text).unwrap();
            assert_eq!(Token::read(&path).unwrap_err().kind(), ErrorKind::Malformed, "{}", text.len());
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(Token::read_or_create(&path).is_err());
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token("0123".to_owned());
        assert!(token.is("0123"));
        for other in ["", "012", "01234", "0124", "1123", "0123\0"] {
            assert!(!token.is(other), "{other:?}");
        }
    }
}
