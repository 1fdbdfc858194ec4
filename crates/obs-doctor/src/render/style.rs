//! Style of text output: colour, marks, width.

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

/// Value of the option `--color`.
///
/// ```
/// use obs_doctor::render::ColorChoice;
/// assert_eq!("never".parse(), Ok(ColorChoice::Never));
/// assert!("purple".parse::<ColorChoice>().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ColorChoice {
    /// Colour by the environment and the terminal.
    #[default]
    Auto,
    /// Always colour.
    Always,
    /// No colour.
    Never,
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(format!("{other:?} is not one of auto, always and never")),
        }
    }
}

impl fmt::Display for ColorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// Style of [`text`](super::text).
///
/// ```
/// use obs_doctor::render::{ColorChoice, TextStyle};
/// let in_a_pipe = TextStyle::resolve(ColorChoice::Auto, |_| None, None);
/// assert!(!in_a_pipe.color);
/// let forced = TextStyle::resolve(ColorChoice::Always, |name| (name == "NO_COLOR").then(|| "1".into()), None);
/// assert!(forced.color);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextStyle {
    /// Whether ANSI colours are used.
    pub color: bool,
    /// Whether the output is ASCII only, with `[ok]` instead of `✔`.
    pub ascii: bool,
    /// Columns to wrap at; `None` disables wrapping.
    pub width: Option<usize>,
    /// Whether evidence and durations are shown (`-v`).
    pub verbose: bool,
    /// Whether only problems are shown (`-q`).
    pub quiet: bool,
}

impl TextStyle {
    /// Returns the style for standard output, by the environment of the process.
    #[must_use]
    pub fn for_stdout(choice: ColorChoice) -> Self {
        let stdout = std::io::stdout();
        let columns = stdout.is_terminal().then(|| {
            let size = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
            // Some terminals report 0 columns, such as a serial console.
            if size > 0 { size } else { 80 }
        });
        // Lossy, because `NO_COLOR` counts with any value, also with one that is not UTF-8.
        let env = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::resolve(choice, env, columns)
    }

    /// Returns the style by `env`, for a terminal of `terminal` columns, or for a pipe or file if that is `None`.
    ///
    /// Colour: `--color`, else `NO_COLOR`, else `CLICOLOR_FORCE`, else `CLICOLOR=0`, else a terminal that is not
    /// `dumb`. ASCII: a locale (`LC_ALL`, else `LC_CTYPE`, else `LANG`) that is set and not UTF-8, or a dumb terminal.
    #[must_use]
    pub fn resolve(
        choice: ColorChoice,
        env: impl Fn(&str) -> Option<String>,
        terminal: Option<usize>,
    ) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let dumb = terminal.is_some() && set("TERM").as_deref() == Some("dumb");
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR").is_some() => false,
            ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            ColorChoice::Auto if set("CLICOLOR").as_deref() == Some("0") => false,
            ColorChoice::Auto => terminal.is_some() && !dumb,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let ascii = dumb || locale.is_some_and(|locale| !is_utf8(&locale));
        Self { color, ascii, width: terminal, verbose: false, quiet: false }
    }

    /// Sets [`color`](Self::color).
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// Sets [`ascii`](Self::ascii).
    #[must_use]
    pub fn ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    /// Sets [`width`](Self::width).
    #[must_use]
    pub fn width(mut self, columns: Option<usize>) -> Self {
        self.width = columns;
        self
    }

    /// Sets [`verbose`](Self::verbose).
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }

    /// Sets [`quiet`](Self::quiet).
    #[must_use]
    pub fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(choice: ColorChoice, env: &[(&str, &str)], terminal: bool, expected: bool) {
        let find =
            |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(
            TextStyle::resolve(choice, find, terminal.then_some(80)).color,
            expected,
            "{choice} {env:?} {terminal}"
        );
    }

    #[test]
    fn precedence_of_colour() {
        use ColorChoice::{Always, Auto, Never};
        check(Auto, &[], true, true);
        check(Auto, &[], false, false);
        check(Auto, &[("TERM", "dumb")], true, false);
        check(Auto, &[("CLICOLOR", "0")], true, false);
        check(Auto, &[("CLICOLOR", "1")], false, false);
        check(Auto, &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], false, true);
        check(Auto, &[("CLICOLOR_FORCE", "0")], false, false);
        check(Auto, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true, true);
        check(Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false);
        check(Auto, &[("NO_COLOR", "")], true, true);
        check(Always, &[("NO_COLOR", "1"), ("TERM", "dumb")], false, true);
        check(Never, &[("CLICOLOR_FORCE", "1")], true, false);
    }

    #[test]
    fn marks_follow_the_locale() {
        let ascii = |env: &[(&str, &str)]| {
            let find = |name: &str| {
                env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            TextStyle::resolve(ColorChoice::Auto, find, Some(80)).ascii
        };
        assert!(ascii(&[("LANG", "C")]));
        assert!(ascii(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")]));
        assert!(ascii(&[("LANG", "en_US.UTF-8"), ("TERM", "dumb")]));
        assert!(!ascii(&[("LANG", "C.utf8")]));
        assert!(!ascii(&[]));
    }
}
