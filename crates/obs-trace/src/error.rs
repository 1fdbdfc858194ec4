//! What can be wrong with a configuration.

use std::fmt;

/// Why a [`Config`](crate::Config) was refused.
///
/// ```
/// use obs_trace::Config;
///
/// let error = obs_trace::configure(&Config::default().ring_capacity(0)).unwrap_err();
/// assert_eq!(error.field(), "ring_capacity");
/// assert_eq!(error.to_string(), "ring_capacity = 0: a number from 1 to 1000000 is needed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    field: &'static str,
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Range {
        value: usize,
        least: usize,
        most: usize,
    },
    #[cfg(feature = "otlp")]
    Endpoint(&'static str),
    #[cfg(feature = "otlp")]
    Header(&'static str),
    #[cfg(feature = "otlp")]
    Thread(std::io::ErrorKind),
}

impl Error {
    pub(crate) fn check_range(
        field: &'static str,
        value: usize,
        least: usize,
        most: usize,
    ) -> Result<(), Error> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Error { field, cause: Cause::Range { value, least, most } })
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn endpoint(why: &'static str) -> Error {
        Error { field: ENDPOINT, cause: Cause::Endpoint(why) }
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn header(why: &'static str) -> Error {
        Error { field: "otlp_headers", cause: Cause::Header(why) }
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn thread(error: &std::io::Error) -> Error {
        Error { field: ENDPOINT, cause: Cause::Thread(error.kind()) }
    }

    /// The setting whose value was refused: the setter of [`Config`](crate::Config), or `otlp_endpoint`,
    /// or `otlp_headers`.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

/// As a node's configuration calls it.
#[cfg(feature = "otlp")]
const ENDPOINT: &str = "otlp_endpoint";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match &self.cause {
            Cause::Range { value, least, most } => {
                write!(f, "{field} = {value}: a number from {least} to {most} is needed")
            }
            #[cfg(feature = "otlp")]
            Cause::Endpoint(why) => {
                write!(f, "{field}: {why}; name the collector's OTLP/HTTP address, such as http://host:4318")
            }
            #[cfg(feature = "otlp")]
            Cause::Header(why) => {
                write!(
                    f,
                    "{field}: {why}; name headers as the collector wants them, such as authorization=Bearer%20KEY"
                )
            }
            #[cfg(feature = "otlp")]
            Cause::Thread(kind) => {
                write!(
                    f,
                    "{field}: no thread could be started to export with ({kind}); raise the limit of threads"
                )
            }
        }
    }
}

impl std::error::Error for Error {}
