//! Errors that the server of a language model reports: by status, in a body, or in an event.

use reqwest::StatusCode;
use serde_json::Value;

use super::cause::Cause;
use crate::wire::error::{CallError, Code};

/// Side that chose the model of a request. An error about the model is a mistake of that side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chooser {
    Node,
    Caller,
}

impl Chooser {
    fn code(self, cause: Cause) -> Code {
        match (cause, self) {
            (Cause::Model, Chooser::Caller) => Code::NOT_IMPLEMENTED,
            (cause, _) => cause.code(),
        }
    }

    /// Fails if `answer` is an error although its status says success.
    pub(super) fn check(self, answer: &Value) -> Result<(), CallError> {
        error_in(answer).map_or(Ok(()), |error| Err(self.fail(cause_in(error), None, message_in(error))))
    }

    /// Returns the error for an event named `error`, with any data.
    pub(super) fn event(self, data: &str) -> CallError {
        let Ok(answer) = serde_json::from_str::<Value>(data) else {
            return self.fail(None, None, data);
        };
        let error = error_in(&answer).unwrap_or(&answer);
        self.fail(cause_in(error), None, message_in(error))
    }

    /// Returns the error for an answer whose status is a failure. The body may come from a proxy in front of the
    /// server.
    pub(super) fn response(self, status: StatusCode, body: &[u8]) -> CallError {
        let status = status.as_u16();
        // An HTML page of a proxy becomes `null`, and the status decides.
        let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let error = error_in(&answer).unwrap_or(&answer);
        let (of_status, of_body) = (Cause::of_status(status.into()), cause_in(error));
        // Servers use 400 and 500 if no other status fits. The body may be more specific.
        let cause = if matches!(status, 400 | 500) { of_body.or(of_status) } else { of_status.or(of_body) };
        self.fail(cause, Some(status), message_in(error))
    }

    /// Returns the error with the server's message as its cause. The caller does not get the message, because it may name
    /// hosts, paths or keys.
    fn fail(self, cause: Option<Cause>, status: Option<u16>, message: &str) -> CallError {
        let cause = cause.unwrap_or(Cause::Fault);
        let came_back = match (status, message) {
            (Some(status), "") => format!("HTTP {status}"),
            (Some(status), message) => format!("HTTP {status}: {message}"),
            (None, "") => "an error without a message".to_owned(),
            (None, message) => format!("an error: {message}"),
        };
        self.code(cause).because(cause.problem()).caused_by(came_back).advise(cause.advice())
    }
}

/// Returns the part of an answer that is an error.
fn error_in(answer: &Value) -> Option<&Value> {
    let choice = &answer["choices"][0];
    [&answer["error"], &choice["error"]].into_iter().find(|error| !error.is_null()).or_else(|| {
        // Some servers put the fields of the error beside the type, or report a stop reason only.
        (answer["object"] == "error" || answer["type"] == "error" || choice["finish_reason"] == "error")
            .then_some(answer)
    })
}

/// Returns the cause in an error. Servers write a status or a word under one of these names.
fn cause_in(error: &Value) -> Option<Cause> {
    ["code", "type", "status", "error_type"].iter().find_map(|field| match &error[*field] {
        Value::Number(status) => Cause::of_status(status.as_u64()?),
        Value::String(word) => Cause::of_word(word),
        _ => None,
    })
}

fn message_in(error: &Value) -> &str {
    let text = |field: &str| error[field].as_str();
    text("message").or_else(|| text("detail")).or_else(|| error.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_has_a_fitting_code() {
        for (error, code) in [
            (json!({ "code": 429 }), Code::CAPACITY_EXCEEDED),
            (json!({ "code": "504" }), Code::TIMEOUT),
            (json!({ "code": null, "type": "Invalid_Request_Error" }), Code::BAD_REQUEST),
            (json!({ "code": "strange", "type": "overloaded_error" }), Code::CAPACITY_EXCEEDED),
            (json!({ "code": "invalid_api_key", "type": "invalid_request_error" }), Code::INTERNAL_ERROR),
            (json!({ "code": -1 }), Code::INTERNAL_ERROR),
            (json!("out of memory"), Code::INTERNAL_ERROR),
            (json!([]), Code::INTERNAL_ERROR),
        ] {
            let whole = json!({ "error": error });
            assert_eq!(Chooser::Node.check(&whole).unwrap_err().code, code, "{error}");
            assert_eq!(Chooser::Node.event(&whole.to_string()).code, code, "{error}");
            assert_eq!(Chooser::Node.event(&error.to_string()).code, code, "{error}");
        }
        assert!(Chooser::Node.check(&json!({ "error": null, "choices": [] })).is_ok());
        let stopped = json!({ "choices": [{ "delta": {}, "finish_reason": "error" }] });
        assert_eq!(Chooser::Node.check(&stopped).unwrap_err().code, Code::INTERNAL_ERROR);
    }

    /// A status has the same code as status of the answer and in an error.
    #[test]
    fn a_status_has_the_same_code_in_every_place() {
        for (statuses, code) in [
            (&[400, 413, 422][..], Code::BAD_REQUEST),
            (&[401, 403, 404, 405, 410, 418, 500, 505, 599], Code::INTERNAL_ERROR),
            (&[402, 429, 503, 529], Code::CAPACITY_EXCEEDED),
            (&[408, 504, 524], Code::TIMEOUT),
            (&[502], Code::PARTITION),
            (&[501], Code::NOT_IMPLEMENTED),
        ] {
            for status in statuses {
                let body = json!({ "error": { "code": status, "message": "m" } });
                let response =
                    |body: &[u8]| Chooser::Node.response(StatusCode::from_u16(*status).unwrap(), body).code;
                assert_eq!(Chooser::Node.check(&body).unwrap_err().code, code, "{status}");
                assert_eq!(response(body.to_string().as_bytes()), code, "{status}");
                assert_eq!(response(b""), code, "{status}");
                assert_eq!(response(b"<html>"), code, "{status}");
            }
        }
    }

    /// Status and body, as these servers send them.
    #[test]
    fn errors_of_known_servers_have_their_codes() {
        for (server, status, body, code) in [
            (
                "OpenAI",
                401,
                json!({ "error": { "type": "invalid_request_error", "code": null } }),
                Code::INTERNAL_ERROR,
            ),
            ("OpenAI", 429, json!({ "error": { "type": "insufficient_quota" } }), Code::CAPACITY_EXCEEDED),
            ("OpenAI", 400, json!({ "error": { "code": "context_length_exceeded" } }), Code::BAD_REQUEST),
            (
                "Anthropic",
                413,
                json!({ "type": "error", "error": { "type": "request_too_large" } }),
                Code::BAD_REQUEST,
            ),
            (
                "Anthropic",
                529,
                json!({ "type": "error", "error": { "type": "overloaded_error" } }),
                Code::CAPACITY_EXCEEDED,
            ),
            (
                "Ollama",
                404,
                json!({ "error": { "type": "not_found_error", "code": null } }),
                Code::INTERNAL_ERROR,
            ),
            ("Ollama", 400, json!({ "error": "invalid options" }), Code::BAD_REQUEST),
            (
                "llama.cpp",
                503,
                json!({ "error": { "code": 503, "type": "unavailable_error" } }),
                Code::CAPACITY_EXCEEDED,
            ),
            (
                "llama.cpp",
                500,
                json!({ "error": { "type": "exceed_context_size_error" } }),
                Code::BAD_REQUEST,
            ),
            (
                "vLLM",
                400,
                json!({ "object": "error", "type": "BadRequestError", "code": 400 }),
                Code::BAD_REQUEST,
            ),
            (
                "Gemini",
                400,
                json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT" } }),
                Code::BAD_REQUEST,
            ),
            (
                "TGI",
                422,
                json!({ "error": "Input validation error", "error_type": "validation" }),
                Code::BAD_REQUEST,
            ),
            ("FastAPI", 422, json!({ "detail": [{ "msg": "field required" }] }), Code::BAD_REQUEST),
            ("LiteLLM", 400, json!({ "error": { "code": "model_not_found" } }), Code::INTERNAL_ERROR),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = Chooser::Node.response(status, body.to_string().as_bytes());
            assert_eq!(error.code, code, "{server} {body}");
        }
    }

    #[test]
    fn a_missing_model_is_a_mistake_of_the_side_that_chose_it() {
        let code = |chooser: Chooser| chooser.response(StatusCode::NOT_FOUND, b"").code;
        assert_eq!(code(Chooser::Node), Code::INTERNAL_ERROR);
        assert_eq!(code(Chooser::Caller), Code::NOT_IMPLEMENTED);
    }
}
