//! Client of a language model that speaks the OpenAI protocol.

mod backend;
mod cause;
mod completion;
mod failure;
mod message;
mod request;
mod stream;

pub(crate) use self::backend::Backend;
pub(crate) use self::completion::{Completion, Report};
pub(crate) use self::failure::Chooser;
pub(crate) use self::request::request;
pub(crate) use self::stream::Pieces;
