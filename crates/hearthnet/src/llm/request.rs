//! Request for a completion.

use serde_json::{Map, Value, json};

use crate::wire::error::{CallError, Code, mismatch};

/// Options of the caller that are passed on beside the messages.
const OPTIONS: [&str; 5] = ["max_tokens", "temperature", "top_p", "stop", "seed"];

/// Builds the request for a completion. It holds only fields that a caller may choose.
pub(crate) fn request(mut input: Map<String, Value>, model: &str, stream: bool) -> Result<Value, CallError> {
    let messages =
        input.remove("messages").ok_or_else(|| Code::BAD_REQUEST.because("input.messages: is missing"))?;
    let list = messages.as_array().ok_or_else(|| mismatch("input.messages", "a list"))?;
    if list.is_empty() {
        return Err(Code::BAD_REQUEST.because("input.messages: is empty"));
    }
    if !list.iter().all(|message| message["role"].is_string() && message.get("content").is_some()) {
        return Err(mismatch("input.messages", "objects with role and content"));
    }
    let mut request = json!({ "model": model, "messages": messages, "stream": stream });
    if stream {
        // Without this, servers do not report the number of tokens of a stream.
        request["stream_options"] = json!({ "include_usage": true });
    }
    for name in OPTIONS {
        // Some servers refuse `null` where they accept an absent field.
        if let Some(value) = input.remove(name).filter(|value| !value.is_null()) {
            request[name] = value;
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_only_fields_that_a_caller_may_choose() {
        let input = json!({
            "messages": [{ "role": "user", "content": "Hi" }], "seed": 7, "temperature": null, "stream": true,
            "model": "another", "user": "somebody",
        });
        let request = request(input.as_object().unwrap().clone(), "ours", false).unwrap();
        let expected = json!({ "model": "ours", "messages": input["messages"], "stream": false, "seed": 7 });
        assert_eq!(request, expected);
    }

    #[test]
    fn a_conversation_without_messages_is_refused() {
        let code = |input: Value| request(input.as_object().unwrap().clone(), "m", true).unwrap_err().code;
        assert_eq!(code(json!({})), Code::BAD_REQUEST);
        assert_eq!(code(json!({ "messages": [] })), Code::BAD_REQUEST);
        assert_eq!(code(json!({ "messages": "Hi" })), Code::SCHEMA_MISMATCH);
        assert_eq!(code(json!({ "messages": [{ "role": "user" }] })), Code::SCHEMA_MISMATCH);
    }
}
