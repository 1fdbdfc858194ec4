//! Paths in the form that people type.

use std::path::Path;

/// Returns `path` with the home folder as `~`.
pub(crate) fn tilde(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| Path::new(home).is_absolute() && home.len() > 1);
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.display().to_string(),
    }
}

/// Returns `path` as one word of a shell command, for advice that people paste. The home folder is `~` if nothing in the path
/// needs quotes.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(obs_doctor::shell_path(Path::new("/srv/keys")), "/srv/keys");
/// assert_eq!(obs_doctor::shell_path(Path::new("/srv/my keys")), "'/srv/my keys'");
/// ```
#[must_use]
pub fn shell_path(path: &Path) -> String {
    let short = tilde(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-~:+@%,".contains(c);
    if short.chars().all(plain) {
        short
    } else {
        format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_shell_would_split_is_quoted() {
        assert_eq!(shell_path(Path::new("/srv/keys")), "/srv/keys");
        assert_eq!(shell_path(Path::new("/srv/my keys; it's")), "'/srv/my keys; it'\\''s'");
    }
}
