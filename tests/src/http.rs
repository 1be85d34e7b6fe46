//! A browser without a screen: just enough HTTP to sign in at the office and read its pages.
//!
//! It speaks HTTP/1.0, so that answers come whole and not in chunks, and keeps cookies.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer lasts at most so long.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Somebody at the office's pages.
pub struct Http {
    /// `host:port`.
    host: String,
    cookies: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Http {
    /// A visitor of this server, such as `http://127.0.0.1:7430`.
    pub fn new(url: &str) -> Self {
        let host = url.strip_prefix("http://").expect("plain HTTP only").trim_end_matches('/');
        Self { host: host.to_owned(), cookies: Vec::new() }
    }

    /// A manager who used the one-time code and set a password.
    #[track_caller]
    pub fn signed_in(url: &str, code: &str, password: &str) -> Self {
        let mut http = Self::new(url);
        let form = [("code", code), ("password", password), ("again", password)];
        let answer = http.post("/welcome", &form);
        assert_eq!(answer.status, 303, "signing in: {}", answer.body);
        assert!(!http.cookies.is_empty(), "a session cookie: {:?}", answer.headers);
        http
    }

    /// `GET`.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    /// `POST` of a form.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.send("POST", path, &body.join("&"))
    }

    /// `POST` of a form on this page: with the token that the page's forms carry.
    #[track_caller]
    pub fn submit(&mut self, page: &str, action: &str, form: &[(&str, &str)]) -> Answer {
        let body = self.get(page).body;
        let token = between(&body, "name=\"csrf\" value=\"", "\"").to_owned();
        let form: Vec<(&str, &str)> =
            [("csrf", token.as_str())].into_iter().chain(form.iter().copied()).collect();
        self.post(action, &form)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let host = &self.host;
        let mut request =
            format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\n");
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("Cookie: {}\r\n", pairs.join("; ")));
        }
        if method == "POST" {
            request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let answer = exchange(host, request.as_bytes());
        for (name, value) in &answer.headers {
            if name == "set-cookie" {
                self.take_cookie(value);
            }
        }
        answer
    }

    /// Keeps a cookie, or lets go of one that is to be gone.
    fn take_cookie(&mut self, line: &str) {
        let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('='))
        else {
            return;
        };
        self.cookies.retain(|(known, _)| known != name);
        if !line.contains("Max-Age=0") {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Sends a request of HTTP/1.0, and reads the whole answer.
#[track_caller]
pub fn exchange(host: &str, request: &[u8]) -> Answer {
    let mut stream = connect(host);
    // A server that has seen enough may close before it has read all.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let (status, headers) = head_of(head);
    Answer { status, headers, body: body.to_owned() }
}

/// A connection on which no read lasts for ever.
#[track_caller]
pub fn connect(host: &str) -> TcpStream {
    let stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream
}

/// Status and headers of an answer, from its head.
pub fn head_of(head: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    (status, headers)
}

/// What stands between two texts, for the first time.
#[track_caller]
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("`{before}` is not in\n{text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("`{after}` is not in\n{rest}")).0
}

/// What an authenticator app shows for a secret in base 32 (RFC 6238), some half minutes from now.
pub fn digits(secret: &str, steps: i64) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|c| format!("{:05b}", ALPHABET.find(c).unwrap())).collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let now = chrono::Utc::now().timestamp();
    let tag = ring::hmac::sign(&key, &(now.div_euclid(30) + steps).to_be_bytes());
    let tag = tag.as_ref();
    let at = (tag[19] & 15) as usize;
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Percent-encodes a value of a form or a query string.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
