//! The headers for a collector, in the form that OpenTelemetry gives to `OTEL_EXPORTER_OTLP_HEADERS`.

/// Reads `name=value,name=value`, the values percent-encoded where they need it. What is refused is not repeated: it is
/// a secret.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (name, value) = member.split_once('=').ok_or("has a header without `=`")?;
            let value = decode(value.trim()).ok_or("has a `%` that two hex digits do not follow")?;
            Ok((name.trim().to_owned(), value))
        })
        .collect()
}

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
    fn t8_headers_are_read_as_opentelemetry_writes_them() {
        let read = |text| {
            let headers = parse(text).unwrap().into_iter();
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
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
