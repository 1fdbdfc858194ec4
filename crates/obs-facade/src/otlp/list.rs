//! Lists of the form `name=value,name=value`, which OpenTelemetry's environment variables have.

/// Parses the headers for a collector, as in `OTEL_EXPORTER_OTLP_HEADERS`. Values may be percent-encoded. The error does
/// not repeat the text, which is a secret.
pub(crate) fn headers(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    members(text)
        .map(|member| {
            let (name, value) = member.ok_or("has a header without `=`")?;
            let value = decode(value).ok_or("has a `%` without two hex digits")?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// Parses `OTEL_RESOURCE_ATTRIBUTES`. Keys and values may be percent-encoded. One fault rejects the whole list, as
/// OpenTelemetry specifies.
pub(crate) fn attributes(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    members(text)
        .map(|member| {
            let (key, value) = member.ok_or("has a member without `=`")?;
            let decoded = |text| decode(text).ok_or("has a `%` without the hex digits of a UTF-8 byte");
            let (key, value) = (decoded(key)?, decoded(value)?);
            if key.is_empty() { Err("has a value without a key") } else { Ok((key, value)) }
        })
        .collect()
}

/// Returns name and value of each member; `None` for a member without `=`.
fn members(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members.map(|member| member.split_once('=').map(|(name, value)| (name.trim(), value.trim())))
}

/// Decodes percent-encoding; `None` where it is malformed or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_parsed_as_opentelemetry_writes_them() {
        let read = |text| {
            let headers = headers(text).unwrap().into_iter();
            headers.map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>()
        };
        for (text, headers) in [
            ("", vec![]),
            (" , ", vec![]),
            ("authorization=Bearer%20key", vec!["authorization:Bearer key"]),
            ("a=1, b = two=2 ,c=", vec!["a:1", "b:two=2", "c:"]),
            ("a=%C3%bc+", vec!["a:ü+"]),
        ] {
            assert_eq!(read(text), headers, "{text}");
        }
        for text in ["a", "a=1,b", "a=%", "a=%2", "a=%+1", "a=%zz", "a=%ff", "a=%é"] {
            assert!(headers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn attributes_are_parsed_as_opentelemetry_writes_them() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("a=1, b.c = two words ,,", vec![pair("a", "1"), pair("b.c", "two words")]),
            ("a%2Cb%3d=x%3Dy%2cz%20", vec![pair("a,b=", "x=y,z ")]),
            ("a=b=c", vec![pair("a", "b=c")]),
            ("a=,a=2", vec![pair("a", ""), pair("a", "2")]),
            ("k\u{fc}=%C3%BC", vec![pair("k\u{fc}", "\u{fc}")]),
        ] {
            assert_eq!(attributes(text), Ok(expected), "{text}");
        }
        for text in ["a", "a=1,b", "=1", "a=%", "a=%2", "a=%zz", "a=%ff", "%=1"] {
            assert!(attributes(text).is_err(), "{text}");
        }
    }
}
