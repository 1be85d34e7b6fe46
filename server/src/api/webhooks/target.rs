//! Which addresses are sent to. A webhook's address is chosen by somebody who need not be the operator of
//! the machine: what is inside the network is refused, by the address that the name stands for at the
//! moment of sending, unless the operator has named the host (`webhook_private_hosts`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;

/// How long looking up a name may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(5);
/// The longest address.
const URL_BYTES_MAX: usize = 2_000;

/// Hosts inside the network that the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Private(Arc<[String]>);

impl Private {
    /// These names or addresses, as they stand in a webhook's address.
    pub fn new(hosts: &[String]) -> Self {
        Self(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
    }
    fn allows(&self, host: &str) -> bool {
        self.0.iter().any(|allowed| host.eq_ignore_ascii_case(allowed))
    }
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub uri: Uri,
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

/// Whether a text is an address of a webhook at all; the error is for people.
pub(super) fn check_form(url: &str) -> Result<Target, String> {
    let wrong = |why: &str| Err(format!("the address of a webhook {why}; write https://HOST/PATH"));
    if url.len() > URL_BYTES_MAX {
        return wrong("has at most 2,000 characters");
    }
    if url.contains('#') || url.chars().any(|c| c.is_control() || c == ' ') {
        return wrong("has no fragment, no spaces and no control characters");
    }
    let Ok(uri) = url.parse::<Uri>() else { return wrong("can't be read") };
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return wrong("begins with https://"),
    };
    let Some(authority) = uri.authority() else { return wrong("names a host") };
    if authority.as_str().contains('@') {
        return wrong("holds no name and no password");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return wrong("names a host");
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Ok(Target { host, port, tls, uri })
}

impl Target {
    /// What can be said without looking a name up; the error is for people.
    pub(super) fn check(&self, private: &Private) -> Result<(), String> {
        if private.allows(&self.host) {
            return Ok(());
        }
        if !self.tls {
            return Err(format!(
                "{} is not sent to without TLS; use https, or have the operator name the host in `webhook_private_hosts`",
                self.host
            ));
        }
        match self.host.parse::<IpAddr>() {
            Ok(ip) if !is_public(ip) => Err(inside(&self.host)),
            _ => Ok(()),
        }
    }

    /// The address to connect to: the name is looked up once, judged, and not looked up again.
    pub(super) async fn address(&self, private: &Private) -> Result<SocketAddr, String> {
        self.check(private)?;
        let found = tokio::time::timeout(
            LOOK_UP_MAX,
            tokio::net::lookup_host((self.host.as_str(), self.port)),
        )
        .await
        .map_err(|_| "the name could not be looked up within 5 seconds".to_owned())?
        .map_err(|error| format!("the name could not be looked up: {error}"))?;
        let allowed = private.allows(&self.host);
        let (mut first, mut refused) = (None, false);
        for address in found {
            match allowed || is_public(address.ip()) {
                true => first = first.or(Some(address)),
                false => refused = true,
            }
        }
        match first {
            // A name that stands for both is up to something.
            Some(_) if refused => Err(inside(&self.host)),
            Some(address) => Ok(address),
            None if refused => Err(inside(&self.host)),
            None => Err("the name stands for no address".to_owned()),
        }
    }
}

fn inside(host: &str) -> String {
    format!(
        "{host} is inside the network, and is not sent to; have the operator name it in `webhook_private_hosts` if that is meant"
    )
}

/// Whether an address is one of the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    // An IPv4 address in the clothes of IPv6 is judged as what it is.
    let [.., high, low] = segments;
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    let inner = Ipv4Addr::new(a, b, c, d);
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] => ip.to_ipv4_mapped().is_some() && is_public_v4(inner),
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_public_v4(inner),
        [0x2002, ..] | [0x2001, 0, ..] | [0x2001, 0xdb8, ..] => false,
        // Global unicast, and nothing else.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_a_network_is_not_public() {
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "4000::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_address_is_https_to_a_host_and_nothing_else() {
        assert_eq!(check_form("https://a.example:8443/x?y=1").unwrap().port, 8443);
        for bad in [
            "",
            "a.example",
            "ftp://a.example/",
            "https://",
            "https://user:pass@a.example/",
            "https://a.example/#x",
            "https://a .example/",
            "https://a.example/\n",
            "//a.example/x",
        ] {
            assert!(check_form(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_host_inside_is_refused_by_what_its_name_stands_for() {
        let none = Private::default();
        for bad in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "http://1.1.1.1/",
            "https://2130706433/",
            "https://0x7f.1/",
        ] {
            assert!(check_form(bad).unwrap().address(&none).await.is_err(), "{bad}");
        }
        let allowed = Private::new(&["localhost".to_owned(), "127.0.0.1".to_owned()]);
        assert!(check_form("http://LOCALHOST:81/").unwrap().address(&allowed).await.is_ok());
        assert!(check_form("http://127.0.0.1/").unwrap().address(&allowed).await.is_ok());
        assert!(check_form("http://127.0.0.2/").unwrap().address(&allowed).await.is_err());
    }
}
