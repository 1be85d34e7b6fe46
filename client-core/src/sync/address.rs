//! What people type as the server's address, and the proxy on the way to it.

use std::net::IpAddr;

use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::{Error, Result};

/// The path of the websocket.
const SYNC_PATH: &str = "/sync";

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, ending in `/sync`.
    pub path: String,
}

impl Address {
    /// Reads `https://host`, `http://127.0.0.1:8080`, `wss://host/sync`, `host` ...
    ///
    /// # Errors
    /// [`Error::Address`]; an unencrypted address is taken for this machine only.
    pub(crate) fn parse(url: &str) -> Result<Address> {
        let bad = |reason: &str| Error::Address { url: url.to_owned(), reason: reason.to_owned() };
        let trimmed = url.trim();
        let full =
            if trimmed.contains("://") { trimmed.to_owned() } else { format!("https://{trimmed}") };
        let uri: Uri =
            full.parse().map_err(|_| bad("it is not a URL such as https://crm.example.com"))?;
        let tls = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err(bad("it must begin with https:// (or http:// on this machine)")),
        };
        let authority = uri.authority().ok_or_else(|| bad("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must not contain a user name or a password"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        if !tls && !is_loopback(&host) {
            return Err(bad(
                "unencrypted connections are taken only on this machine (127.0.0.1, localhost); use https://",
            ));
        }
        let path = uri.path().trim_end_matches('/');
        let path = match path.strip_suffix(SYNC_PATH) {
            Some(_) => path.to_owned(),
            None => format!("{path}{SYNC_PATH}"),
        };
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Address { tls, host, port, path })
    }

    /// Host and port as in a `Host` header and a `CONNECT` line.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The websocket's URL.
    pub(crate) fn websocket_url(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }

    /// What is kept and shown.
    pub(crate) fn shown(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.path.strip_suffix(SYNC_PATH).unwrap_or_default();
        format!("{scheme}://{}{path}", self.authority())
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An HTTP proxy that is asked to `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    /// The value of `Proxy-Authorization`, if the proxy's URL names a user.
    pub authorization: Option<String>,
}

impl Proxy {
    /// The proxy for an address by `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` as `lookup` gives them;
    /// `None` for a direct connection. Addresses on this machine never go through a proxy.
    ///
    /// # Errors
    /// [`Error::Address`] where the variable can't be read.
    pub(crate) fn choose(
        address: &Address,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>> {
        let value = |names: &[&str]| {
            names.iter().find_map(|name| lookup(name)).filter(|value| !value.trim().is_empty())
        };
        if is_loopback(&address.host) || !address.tls {
            return Ok(None);
        }
        let Some(url) = value(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) else {
            return Ok(None);
        };
        if value(&["NO_PROXY", "no_proxy"]).is_some_and(|list| is_excepted(&address.host, &list)) {
            return Ok(None);
        }
        Self::parse(&url).map(Some)
    }

    fn parse(url: &str) -> Result<Proxy> {
        let bad = |reason: &str| Error::Address {
            url: url.split('@').next_back().unwrap_or_default().to_owned(),
            reason: format!("as HTTPS_PROXY: {reason}"),
        };
        let trimmed = url.trim();
        let full =
            if trimmed.contains("://") { trimmed.to_owned() } else { format!("http://{trimmed}") };
        let uri: Uri =
            full.parse().map_err(|_| bad("it is not a URL such as http://proxy:3128"))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad(
                "only http:// proxies are supported; the connection inside is encrypted anyway",
            ));
        }
        let authority = uri.authority().ok_or_else(|| bad("the host is missing"))?;
        let authorization = authority
            .as_str()
            .rsplit_once('@')
            .map(|(user, _)| format!("Basic {}", base64(&percent_decode(user))));
        Ok(Proxy {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(3128),
            authorization,
        })
    }
}

/// Whether `NO_PROXY` names the host: `*`, a name, or the end of one.
fn is_excepted(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*"
            || host.eq_ignore_ascii_case(entry)
            || host.to_lowercase().ends_with(&format!(".{}", entry.to_lowercase()))
    })
}

fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Base 64 for one header; no dependency is worth it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0u32, |sum, (index, byte)| sum | u32::from(*byte) << (16 - 8 * index));
        for index in 0..4 {
            if index <= chunk.len() {
                out.push(char::from(ALPHABET[(group >> (18 - 6 * index)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_becomes_the_address_of_the_websocket() {
        for (typed, url) in [
            ("crm.example.com", "wss://crm.example.com:443/sync"),
            ("https://crm.example.com/", "wss://crm.example.com:443/sync"),
            ("https://crm.example.com:8443/book", "wss://crm.example.com:8443/book/sync"),
            ("wss://crm.example.com/sync", "wss://crm.example.com:443/sync"),
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/sync"),
            ("http://localhost:8080/sync", "ws://localhost:8080/sync"),
            ("https://[2001:db8::1]:9", "wss://[2001:db8::1]:9/sync"),
            ("http://[::1]:9", "ws://[::1]:9/sync"),
        ] {
            assert_eq!(Address::parse(typed).unwrap().websocket_url(), url, "{typed}");
        }
        let address = Address::parse("https://crm.example.com/book/sync").unwrap();
        assert_eq!(Address::parse(&address.shown()).unwrap(), address);
    }

    #[test]
    fn an_unencrypted_address_elsewhere_is_refused_with_the_reason() {
        for typed in
            ["http://crm.example.com", "ws://10.0.0.1", "ftp://x", "https://u:p@x", "https://", ""]
        {
            assert!(matches!(Address::parse(typed), Err(Error::Address { .. })), "{typed}");
        }
        let error = Address::parse("http://crm.example.com").unwrap_err().to_string();
        assert!(error.contains("https://"), "{error}");
    }

    #[test]
    fn the_proxy_comes_from_the_environment_unless_the_host_is_excepted() {
        let address = Address::parse("https://crm.example.com").unwrap();
        let environment = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let proxy =
            Proxy::choose(&address, environment(&[("HTTPS_PROXY", "http://al%20:pw@proxy:8080")]))
                .unwrap()
                .unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy", 8080));
        assert_eq!(proxy.authorization.as_deref(), Some("Basic YWwgOnB3"));
        let excepted = &[("https_proxy", "proxy:1"), ("no_proxy", "localhost,.example.com")];
        assert_eq!(Proxy::choose(&address, environment(excepted)).unwrap(), None);
        assert_eq!(Proxy::choose(&address, environment(&[])).unwrap(), None);
        let here = Address::parse("https://127.0.0.1:1").unwrap();
        assert_eq!(Proxy::choose(&here, environment(&[("HTTPS_PROXY", "proxy:1")])).unwrap(), None);
    }
}
