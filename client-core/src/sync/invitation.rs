//! What the picture of an invitation says: `roadbook://enrol?url=...&code=...&fingerprint=...`.

/// How the text begins.
const SCHEME: &str = "roadbook://enrol?";
/// No invitation is longer; what a camera reads could be anything.
const BYTES_MAX: usize = 4_096;

/// An invitation, as a camera or a link brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The server's address.
    pub url: String,
    /// The one-time code.
    pub code: String,
    /// Pins the key of a server whose certificate no authority has signed.
    pub fingerprint: Option<String>,
}

impl Invitation {
    /// Reads the text of an invitation. Parts that a later server adds are passed over.
    ///
    /// # Errors
    /// Why it is none, for a person.
    pub fn parse(text: &str) -> Result<Invitation, &'static str> {
        let text = text.trim();
        if text.len() > BYTES_MAX {
            return Err("it is too long for an invitation");
        }
        let head = text.get(..SCHEME.len()).unwrap_or_default();
        if !head.eq_ignore_ascii_case(SCHEME) {
            return Err("it is not an invitation: those begin with roadbook://enrol");
        }
        let (mut url, mut code, mut fingerprint) = (None, None, None);
        for part in text[SCHEME.len()..].split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let place = match name {
                "url" => &mut url,
                "code" => &mut code,
                "fingerprint" => &mut fingerprint,
                _ => continue,
            };
            let value = unescaped(value).ok_or("it is damaged: a part of it is no text")?;
            // Two of a kind: which one a person was shown can't be told.
            if value.is_empty() || place.replace(value).is_some() {
                return Err("it is damaged: a part of it is empty or there twice");
            }
        }
        match (url, code) {
            (Some(url), Some(code)) => Ok(Invitation { url, code, fingerprint }),
            _ => Err("it is damaged: the address or the code is missing"),
        }
    }
}

/// Without `%XX`; none where that is no text.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                let digits =
                    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
                (u8::from_str_radix(digits, 16).ok()?, &after[2..])
            }
            byte => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read_as_the_server_writes_it() {
        let whole = "roadbook://enrol?url=https%3A%2F%2Fcrm.example.com%3A8443&code=ABCD-2345&fingerprint=a%2Bb%2Fc%3D";
        let read = Invitation::parse(whole).unwrap();
        assert_eq!(read.url, "https://crm.example.com:8443");
        assert_eq!(
            (read.code.as_str(), read.fingerprint.as_deref()),
            ("ABCD-2345", Some("a+b/c="))
        );
        let later = " ROADBOOK://enrol?code=X&new=1&url=https%3A%2F%2Fx%C3%B8\n";
        let read = Invitation::parse(later).unwrap();
        assert_eq!((read.url.as_str(), read.fingerprint), ("https://xø", None));
    }

    #[test]
    fn what_is_no_invitation_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "not an invitation"),
            ("https://crm.example.com", "not an invitation"),
            ("roadbook://enrol?url=https%3A%2F%2Fx", "missing"),
            ("roadbook://enrol?code=X", "missing"),
            ("roadbook://enrol?url=&code=X", "empty"),
            ("roadbook://enrol?url=x&code=X&code=Y", "twice"),
            ("roadbook://enrol?url=%ff&code=X", "no text"),
            ("roadbook://enrol?url=%2&code=X", "no text"),
            ("roadbook://enrol?url=%+1&code=X", "no text"),
            ("roadbook://enrolø", "not an invitation"),
        ] {
            let error = Invitation::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Invitation::parse(&format!("roadbook://enrol?{}", "x".repeat(5_000))).is_err());
    }
}
