//! From an address to an open websocket: proxy, TCP, TLS, upgrade; each within 10 seconds.

use std::time::Duration;

use roadbook_protocol::limits::Limits;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::address::{Address, Proxy};
use super::dates::{self, Doubt};
use super::heard::Heard;
use super::tls::{self, Trust};
use crate::error::{Error, Result};

/// Each step of opening a connection.
const STEP: Duration = Duration::from_secs(10);
/// What a captive portal calls for.
pub(super) const SIGN_IN: &str =
    "if you are in a hotel or on a train, open a browser and sign in to the network first";
/// The answer of a proxy may have so many bytes.
const PROXY_ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A byte stream, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open websocket.
pub(crate) type Socket = WebSocketStream<Heard<Box<dyn Stream>>>;

/// Opens a websocket to the address. Where only the dates of the server's certificate did not fit,
/// and this device's clock is known to be wrong, the doubt comes with it: nothing but the handshake may
/// be said before it is [settled](Doubt::settle).
pub(crate) async fn connect(
    address: &Address,
    trust: &Trust<'_>,
) -> Result<(Socket, Option<Doubt>)> {
    let proxy = Proxy::choose(address, |name| std::env::var(name).ok())?;
    let tcp = match &proxy {
        None => dial(&address.host, address.port).await?,
        Some(proxy) => through(proxy, address).await?,
    };
    let mut doubt = None;
    let stream: Box<dyn Stream> = if address.tls {
        let (config, dated) = tls::config(trust)?;
        let connector = TlsConnector::from(config);
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Error::Address {
            url: address.shown(),
            reason: "the host is not a name that a certificate can carry".into(),
        })?;
        let tls = within("the TLS handshake", connector.connect(name, tcp)).await?;
        let tls = tls.map_err(|error| tls_error(address, &error))?;
        doubt = dated.and_then(|dated| dated.doubt());
        Box::new(tls)
    } else {
        Box::new(tcp)
    };
    Ok((upgrade(address, stream).await?, doubt))
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> Result<T> {
    timeout(STEP, work).await.map_err(|_| Error::Offline {
        reason: format!("{what} took longer than {} seconds", STEP.as_secs()),
    })
}

async fn dial(host: &str, port: u16) -> Result<TcpStream> {
    let connected = within("connecting", TcpStream::connect((host, port))).await?;
    let tcp = connected
        .map_err(|error| Error::Offline { reason: format!("{host} port {port}: {error}") })?;
    // Small frames must not wait for each other; without it an acknowledgement costs 40 ms.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

async fn through(proxy: &Proxy, address: &Address) -> Result<TcpStream> {
    let mut tcp = dial(&proxy.host, proxy.port).await?;
    let target = address.authority();
    let authorization = match &proxy.authorization {
        Some(value) => format!("Proxy-Authorization: {value}\r\n"),
        None => String::new(),
    };
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    let failed = |reason: String| Error::Offline {
        reason: format!("the proxy {}:{}: {reason}", proxy.host, proxy.port),
    };
    let answer = within("the proxy", async {
        tcp.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // Byte by byte, or bytes of the connection behind the proxy would be swallowed.
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < PROXY_ANSWER_BYTES_MAX {
            answer.push(tcp.read_u8().await?);
        }
        Ok::<_, std::io::Error>(answer)
    })
    .await?
    .map_err(|error| failed(error.to_string()))?;
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let line = answer.lines().next().unwrap_or_default().to_ascii_uppercase();
    // A tunnel has no content; a page in its place has.
    let page = answer.lines().any(|line| line.starts_with("content-type: text/html"));
    match line.split(' ').nth(1) {
        Some("200") if page => Err(failed(format!("it answered with a web page; {SIGN_IN}"))),
        Some("200") => Ok(tcp),
        Some("407") => {
            Err(failed("it asks for a user and a password; put them into HTTPS_PROXY".into()))
        }
        Some("511") => Err(failed(format!("it answered `{line}`; {SIGN_IN}"))),
        Some(code) if code.starts_with('3') => {
            Err(failed(format!("it answered `{line}`; {SIGN_IN}")))
        }
        _ => Err(failed(format!("it answered `{line}`"))),
    }
}

fn tls_error(address: &Address, error: &std::io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::General(reason)) => Error::Untrusted { reason: reason.clone() },
        Some(rustls::Error::InvalidCertificate(reason)) => {
            Error::Untrusted { reason: dates::certificate_error(reason) }
        }
        Some(rustls::Error::InvalidMessage(_)) => Error::Offline {
            reason: format!(
                "{} does not speak TLS on this port; {SIGN_IN}, else check the address",
                address.authority()
            ),
        },
        _ => Error::Offline { reason: format!("the TLS handshake failed: {error}") },
    }
}

async fn upgrade(address: &Address, stream: Box<dyn Stream>) -> Result<Socket> {
    let url = address.websocket_url();
    let request = url
        .as_str()
        .into_client_request()
        .map_err(|error| Error::Address { url: address.shown(), reason: error.to_string() })?;
    let limits = Limits::DEFAULT;
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = 64 * 1024;
    config.write_buffer_size = 64 * 1024;
    config.max_message_size = Some(limits.message_bytes_max);
    config.max_frame_size = Some(limits.message_bytes_max);
    let stream = Heard::new(stream);
    let opened =
        within("opening the websocket", client_async_with_config(request, stream, Some(config)))
            .await?;
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => Err(http_error(address, &response)),
        Err(WsError::Io(error)) => Err(Error::Offline { reason: error.to_string() }),
        Err(error) => Err(Error::Offline {
            reason: format!(
                "{} did not answer as a Roadbook server does ({error}); check the address",
                address.shown()
            ),
        }),
    }
}

/// A server, a proxy or a captive portal answered with something else than a websocket.
fn http_error(address: &Address, response: &Response<Option<Vec<u8>>>) -> Error {
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let status = response.status();
    let shown = address.shown();
    let page = header("content-type").starts_with("text/html");
    let reason = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            let retry_after_ms =
                header("retry-after").parse::<u64>().ok().map(|s| s.saturating_mul(1000));
            return Error::Refused {
                code: "unavailable".into(),
                message: "the server is busy or shutting down; try again later".into(),
                retry_after_ms,
            };
        }
        _ if status.is_redirection() => {
            format!("{shown} redirects to {}; {SIGN_IN}", header("location"))
        }
        StatusCode::NETWORK_AUTHENTICATION_REQUIRED => {
            format!("in place of {shown} the network answered {status}; {SIGN_IN}")
        }
        StatusCode::NOT_FOUND => {
            format!("there is no Roadbook server at {shown} (404); check the address and its path")
        }
        _ if page => format!(
            "{shown} answered with a web page ({status}); {SIGN_IN}, else check the address"
        ),
        _ => format!("{shown} answered {status} instead of opening a websocket; check the address"),
    };
    Error::Offline { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn trust() -> Trust<'static> {
        Trust { pin: None, authorities: None, time: dates::Time { at: 0, wall_is_wrong: false } }
    }

    /// A server that answers every connection with these bytes.
    async fn answering(bytes: &'static [u8]) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let mut buffer = [0; 2048];
                let _ = tcp.read(&mut buffer).await;
                let _ = tcp.write_all(bytes).await;
            }
        });
        Address::parse(&format!("http://127.0.0.1:{port}")).unwrap()
    }

    async fn refusal(bytes: &'static [u8]) -> String {
        match connect(&answering(bytes).await, &trust()).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("connected"),
        }
    }

    #[tokio::test]
    async fn a_captive_portal_a_wrong_path_and_a_wrong_port_are_named() {
        let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
        assert!(refusal(page).await.contains("web page"));
        let away = b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n";
        assert!(refusal(away).await.contains("http://portal/"));
        assert!(
            refusal(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.contains("404")
        );
        assert!(refusal(b"SSH-2.0-OpenSSH_9\r\n").await.contains("check the address"));
    }

    #[tokio::test]
    async fn a_busy_server_says_when_to_come_back() {
        let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
        let error = connect(&answering(busy).await, &trust()).await.err();
        assert!(matches!(error, Some(Error::Refused { retry_after_ms: Some(7000), .. })));
    }

    #[tokio::test]
    async fn nobody_there_is_offline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = Address::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        assert!(matches!(connect(&address, &trust()).await.err(), Some(Error::Offline { .. })));
    }
}
