//! Addresses: what goes into a query string, and where a sign-in may lead.

use std::fmt::Write;

/// Percent-encodes one value of a query string.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            other => {
                // Writing into a String can't fail.
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// A path with a query string of the pairs that are not empty.
pub(super) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    let mut sign = '?';
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(sign);
        out.push_str(name);
        out.push('=');
        out.push_str(&encode(value));
        sign = '&';
    }
    out
}

/// A path of this server to go on to after a sign-in; anything else becomes `/`, so that a link
/// can't lead somebody who just signed in to another site.
pub(super) fn local(next: &str) -> &str {
    let safe = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte > b' ' && byte != b'\\' && byte.is_ascii());
    if safe { next } else { "/" }
}

/// 16 bytes of an address, in hexadecimal.
pub(super) fn read_id(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).ok().map(|()| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_on_to() {
        assert_eq!(local("/contacts?q=a"), "/contacts?q=a");
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a\r\nb",
            "javascript:1",
        ] {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }

    #[test]
    fn values_are_encoded_and_empty_ones_left_out() {
        assert_eq!(
            with("/contacts", &[("q", "a&b ü"), ("filter", ""), ("sort", "name")]),
            "/contacts?q=a%26b+%C3%BC&sort=name"
        );
    }
}
