//! Causes of errors that servers of language models report, and the bus's code for each.

use crate::wire::error::Code;

/// Cause of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller's messages or options are invalid.
    Request,
    /// The key or account of this node is refused.
    Access,
    /// The server lacks the model or the path.
    Model,
    /// The server is overloaded, or the account has no quota left.
    Busy,
    Slow,
    /// A proxy does not reach the server.
    Unreachable,
    Unsupported,
    /// The server failed.
    Fault,
}

impl Cause {
    /// Returns the cause for an HTTP status.
    pub(super) fn of_status(status: u64) -> Option<Cause> {
        match status {
            400 | 413 | 422 => Some(Cause::Request),
            401 | 403 => Some(Cause::Access),
            404 | 410 => Some(Cause::Model),
            402 | 429 | 503 | 529 => Some(Cause::Busy),
            // Codes from 520 on are Cloudflare's.
            408 | 504 | 522 | 524 => Some(Cause::Slow),
            502 | 521 | 523 => Some(Cause::Unreachable),
            501 => Some(Cause::Unsupported),
            500..=599 => Some(Cause::Fault),
            _ => None,
        }
    }

    /// Returns the cause for a word of OpenAI, Anthropic, Google, llama.cpp, vLLM or TGI, or for a status in digits.
    pub(super) fn of_word(word: &str) -> Option<Cause> {
        match word.to_ascii_lowercase().as_str() {
            "invalid_request_error"
            | "invalid_request"
            | "invalid_argument"
            | "bad_request"
            | "badrequesterror"
            | "unprocessableentityerror"
            | "validation"
            | "request_too_large"
            | "context_length_exceeded"
            | "exceed_context_size_error"
            | "content_filter"
            | "content_policy_violation" => Some(Cause::Request),
            "authentication_error"
            | "authenticationerror"
            | "invalid_api_key"
            | "unauthenticated"
            | "unauthorized"
            | "permission_error"
            | "permission_denied"
            | "permissiondeniederror"
            | "forbidden" => Some(Cause::Access),
            "model_not_found" | "not_found_error" | "notfounderror" | "not_found" => Some(Cause::Model),
            "rate_limit_exceeded"
            | "rate_limit_error"
            | "ratelimiterror"
            | "too_many_requests"
            | "resource_exhausted"
            | "overloaded_error"
            | "overloaded"
            | "server_overloaded"
            | "unavailable_error"
            | "unavailable"
            | "service_unavailable"
            | "serviceunavailableerror"
            | "insufficient_quota"
            | "billing_error" => Some(Cause::Busy),
            "timeout" | "timeout_error" | "deadline_exceeded" => Some(Cause::Slow),
            "not_supported_error" | "notimplementederror" | "unimplemented" => Some(Cause::Unsupported),
            "server_error" | "api_error" | "internal_server_error" | "internalservererror" => {
                Some(Cause::Fault)
            }
            digits => digits.parse().ok().and_then(Cause::of_status),
        }
    }

    pub(super) fn code(self) -> Code {
        match self {
            Cause::Request => Code::BAD_REQUEST,
            // The caller cannot change the settings of this node.
            Cause::Access | Cause::Model | Cause::Fault => Code::INTERNAL_ERROR,
            Cause::Busy => Code::CAPACITY_EXCEEDED,
            Cause::Slow => Code::TIMEOUT,
            Cause::Unreachable => Code::PARTITION,
            Cause::Unsupported => Code::NOT_IMPLEMENTED,
        }
    }

    /// Returns the problem, for the caller and for the log.
    pub(super) fn problem(self) -> &'static str {
        match self {
            Cause::Request => "the language model does not accept this request",
            Cause::Access => "the language model does not accept this node",
            Cause::Model => "the server of the language model does not have the model",
            Cause::Busy => "the language model is busy",
            Cause::Slow => "the language model took too long",
            Cause::Unreachable => "the language model cannot be reached",
            Cause::Unsupported => "the language model does not support this request",
            Cause::Fault => "the language model failed",
        }
    }

    /// Returns the advice for the owner of this node.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Cause::Request | Cause::Unsupported => "nothing to do here: the caller has to change its request",
            Cause::Access => "set `api_key_env` of the backend to the variable that holds a valid key",
            Cause::Model => "check `url` and `model` of the backend",
            Cause::Busy => "wait, or raise the limits of the server or its account",
            Cause::Slow => "use a smaller model or a faster server",
            Cause::Unreachable => "start the server behind the proxy at `url` of the backend",
            Cause::Fault => "see the log of the server",
        }
    }
}
