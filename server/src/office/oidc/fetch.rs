//! Requests to the identity provider, and to webhooks: bounded in time and size, over TLS that is verified.
//!
//! One connection per request, no redirects (a redirect could lead to a machine inside the network)
//! and no compression. Plain HTTP goes to this machine only, for tests and for a provider behind the
//! same proxy.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Uri, header};
use hyper_util::rt::TokioIo;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The largest answer that is read: a set of keys is a few kilobytes.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// How long one request may take, from the name's look-up to the last byte.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// What sends requests.
#[derive(Clone)]
pub(crate) struct Fetch {
    tls: TlsConnector,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} is no address to ask: https is needed, or http on this machine")]
    Address(String),
    #[error("no answer within {} seconds", REQUEST_MAX.as_secs())]
    Late,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Http(String),
}

impl Fetch {
    /// Trusts the system's certificate authorities, and those of a PEM file.
    ///
    /// # Errors
    /// A text for the operator: the file can't be read or has no certificate.
    pub(crate) fn new(ca: Option<&Path>) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        // A system without any is told of when a provider can't be verified.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            let wrong = |reason: String| format!("{}: {reason}", path.display());
            let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let mut found = 0;
            for certificate in CertificateDer::pem_slice_iter(&text) {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                found += 1;
            }
            if found == 0 {
                return Err(wrong("no certificate in it; give PEM".to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends one request to an address that was judged before, over TLS to the host of that name if one is
    /// given, and reads the answer. What it says beside its status is thrown away.
    ///
    /// # Errors
    /// [`FetchError`]. How long it takes is bounded by the caller.
    pub(crate) async fn send_to(
        &self,
        address: std::net::SocketAddr,
        tls: Option<&str>,
        request: HttpRequest,
    ) -> Result<axum::http::StatusCode, FetchError> {
        let uri = request.uri().clone();
        let stream = TcpStream::connect(address).await?;
        let answer = match tls {
            None => talk(stream, request, &uri).await?,
            Some(host) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| FetchError::Address(uri.to_string()))?;
                talk(self.tls.connect(name, stream).await?, request, &uri).await?
            }
        };
        Ok(answer.status())
    }

    /// Sends one request and reads the whole answer.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        tokio::time::timeout(REQUEST_MAX, self.exchange(request))
            .await
            .map_err(|_| FetchError::Late)?
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let uri = request.uri().clone();
        let place = Place::of(&uri).ok_or_else(|| FetchError::Address(uri.to_string()))?;
        let stream = TcpStream::connect((place.host, place.port)).await?;
        if !place.tls {
            return talk(stream, request, &uri).await;
        }
        let name = ServerName::try_from(place.host.to_owned())
            .map_err(|_| FetchError::Address(uri.to_string()))?;
        talk(self.tls.connect(name, stream).await?, request, &uri).await
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Whether an address may be asked, or a browser led to it.
pub(super) fn acceptable(address: &str) -> bool {
    address.parse().is_ok_and(|uri| Place::of(&uri).is_some())
}

/// Where a request goes.
struct Place<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
}

impl<'a> Place<'a> {
    fn of(uri: &'a Uri) -> Option<Self> {
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" if is_here(host) => false,
            _ => return None,
        };
        Some(Self { host, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }), tls })
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// One request over a connection of its own.
async fn talk<S>(stream: S, request: HttpRequest, uri: &Uri) -> Result<HttpResponse, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = |error: hyper::Error| FetchError::Http(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    let (mut parts, body) = request.into_parts();
    let authority = uri.authority().map(|known| known.as_str()).unwrap_or_default();
    let host =
        HeaderValue::from_str(authority).map_err(|_| FetchError::Address(uri.to_string()))?;
    parts.headers.insert(header::HOST, host);
    parts.uri = uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse()
        .map_err(|_| FetchError::Address(uri.to_string()))?;
    // The connection is driven only as long as the answer is read: nothing is left behind.
    let answer = async {
        let response = sender.send_request(Request::from_parts(parts, Body::from(body))).await;
        let (parts, body) = response.map_err(http)?.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_BYTES_MAX)
            .await
            .map_err(|error| FetchError::Http(error.to_string()))?;
        Ok(HttpResponse::from_parts(parts, body.to_vec()))
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        got = &mut answer => got,
        ended = &mut connection => {
            ended.map_err(http)?;
            answer.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in [
            "https://id.example",
            "https://id.example:8443/a",
            "http://127.0.0.1:80",
            "http://localhost/x",
            "http://[::1]:9/",
        ] {
            assert!(acceptable(good), "{good}");
        }
        for bad in [
            "http://id.example",
            "ftp://id.example",
            "http://127.0.0.1.example",
            "",
            "/x",
            "http://10.0.0.1/",
        ] {
            assert!(!acceptable(bad), "{bad}");
        }
    }
}
