//! Kinds of secrets.

use std::fmt;

/// Kind of a text that a [`Redactor`](crate::Redactor) hides.
///
/// ```
/// use obs_doctor::SecretKind;
///
/// assert_eq!(SecretKind::Token.mark(), "[token]");
/// assert_eq!(SecretKind::Home.mark(), "~");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SecretKind {
    /// Private key: PEM, the bytes of a key in hex or base64, a value that is called a key.
    Key,
    /// Token of a service: `sk-…`, `ghp_…`, a JSON web token, a value that is called a token.
    Token,
    /// Password: in the user part of a URL, or a value that is called a password.
    Password,
    /// Credentials of an `Authorization` header.
    Authorization,
    /// Cookies.
    Cookie,
    /// Value with another name of a secret, such as a line of an `.env` file.
    Secret,
    /// Value of a query parameter that may be a token.
    Parameter,
    /// E-mail address.
    Email,
    /// Home folder, which names its user.
    Home,
    /// Address of a private network.
    PrivateAddress,
}

impl SecretKind {
    /// Number of kinds.
    pub(super) const COUNT: usize = Self::ALL.len();

    /// All kinds.
    pub const ALL: [SecretKind; 10] = [
        SecretKind::Key,
        SecretKind::Token,
        SecretKind::Password,
        SecretKind::Authorization,
        SecretKind::Cookie,
        SecretKind::Secret,
        SecretKind::Parameter,
        SecretKind::Email,
        SecretKind::Home,
        SecretKind::PrivateAddress,
    ];

    /// Returns the name of the kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SecretKind::Key => "key",
            SecretKind::Token => "token",
            SecretKind::Password => "password",
            SecretKind::Authorization => "authorization",
            SecretKind::Cookie => "cookie",
            SecretKind::Secret => "secret",
            SecretKind::Parameter => "parameter",
            SecretKind::Email => "email",
            SecretKind::Home => "home",
            SecretKind::PrivateAddress => "private-address",
        }
    }

    /// Returns the text that replaces the secret.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            SecretKind::Key => "[key]",
            SecretKind::Token => "[token]",
            SecretKind::Password => "[password]",
            SecretKind::Authorization => "[authorization]",
            SecretKind::Cookie => "[cookie]",
            SecretKind::Secret => "[secret]",
            SecretKind::Parameter => "[parameter]",
            SecretKind::Email => "[email]",
            // A path stays a path.
            SecretKind::Home => "~",
            SecretKind::PrivateAddress => "[private-address]",
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
