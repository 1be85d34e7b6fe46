//! A program that uses the HTTP API with a key: requests in JSON, and streams read line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::http::{Answer, connect, exchange, head_of};
use crate::scene::Scene;

/// All scopes that a key can have.
pub const ALL_SCOPES: &str = "contacts:read,contacts:write,people:read,devices:read,changes:read,decisions:read,decisions:write,webhooks:manage";

/// A program with its key.
#[derive(Debug, Clone)]
pub struct Api {
    host: String,
    key: String,
}

impl Api {
    /// With this key, at the server of the scene.
    pub fn new(scene: &Scene, key: &str) -> Self {
        Self { host: scene.listen().to_owned(), key: key.to_owned() }
    }

    /// With a new key of these scopes, and further arguments of `api-key add`.
    #[track_caller]
    pub fn with_key(scene: &Scene, name: &str, scopes: &str, args: &[&str]) -> Self {
        let mut all = vec!["api-key", "add", name, "--scope", scopes];
        all.extend(args);
        Self::new(scene, &scene.admin(&all).last_line())
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let (host, key) = (&self.host, &self.key);
        let mut text = format!("{method} /api/v1{path} HTTP/1.0\r\nHost: {host}\r\n");
        if !key.is_empty() {
            text.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                text.push_str("Content-Type: application/json\r\n");
            }
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{text}\r\n{body}")
    }

    /// Any request.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        exchange(&self.host, self.request(method, path, headers, body).as_bytes())
    }

    /// Any request to a server that may be away; `None` where no whole answer came.
    pub fn try_ask(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.host).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        stream.write_all(self.request(method, path, &[], body).as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (status, headers) = head_of(head);
        (status > 0).then(|| Answer { status, headers, body: body.to_owned() })
    }

    /// `GET`, which must succeed.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], "");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        json(&answer)
    }

    /// A request with a body, which must succeed.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, &[], &body.to_string());
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
        if answer.body.is_empty() { Value::Null } else { json(&answer) }
    }

    /// A request that must be refused: the problem, whose members are checked.
    #[track_caller]
    pub fn refused(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
        problem(&self.ask(method, path, headers, body))
    }

    /// Opens a stream: its lines, behind the head of the answer.
    #[track_caller]
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> BufReader<TcpStream> {
        let mut stream = connect(&self.host);
        stream.write_all(self.request("GET", path, headers, "").as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            head.push_str(&line);
            line.clear();
        }
        assert_eq!(head_of(&head).0, 200, "{path}: {head}");
        reader
    }
}

/// The body of an answer in JSON.
#[track_caller]
pub fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body)
        .unwrap_or_else(|error| panic!("{error} in an answer {}: {}", answer.status, answer.body))
}

/// The body of an error answer, which is a problem with all its members.
#[track_caller]
pub fn problem(answer: &Answer) -> Value {
    assert!(answer.status >= 400, "{}: {}", answer.status, answer.body);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{}: {}",
        answer.status,
        answer.body
    );
    let body = json(answer);
    assert_eq!(body["status"], answer.status, "{body}");
    for member in ["type", "title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {body}");
    }
    body
}

/// The word at the end of a problem's type.
pub fn kind(problem: &Value) -> &str {
    problem["type"].as_str().and_then(|text| text.rsplit('#').next()).unwrap_or_default()
}
