//! Where the certificate comes from, and how it is exchanged without a restart.
//!
//! Three sources: files that the operator keeps (re-read when they change), a self-signed
//! certificate made once and kept beside the data (devices pin its key), or none at all, which is
//! allowed on loopback only. This module never falls back from one to another: a certificate that
//! can't be used stops the start, and a later bad one leaves the old one in place.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use crate::files;

/// How often the files are looked at for a newer certificate.
const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// Where the server's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// PEM files: the chain, leaf first, and its private key. Re-read within seconds of a change.
    Files {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key: PKCS#8, SEC1 or PKCS#1.
        key: PathBuf,
    },
    /// A self-signed certificate, made at the first start and kept in this directory.
    SelfSigned {
        /// `DIR/tls`; created with mode 0700.
        dir: PathBuf,
    },
    /// No TLS. Refused unless the listening address is loopback.
    Plain,
}

/// Why TLS can't be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file has no usable certificate or key.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate belongs to another key.
    #[error("the certificate {} does not belong to the key {}: renew both together", cert.display(), key.display())]
    Mismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// No TLS was asked for on an address that other machines reach.
    #[error(
        "{listen} can be reached from other machines, and --plain would send customer data in the clear: \
         use --tls-cert and --tls-key, or --tls-self-signed, or listen on 127.0.0.1"
    )]
    PlainBeyondLoopback {
        /// The address.
        listen: SocketAddr,
    },
    /// The TLS library refuses the configuration.
    #[error("TLS can't be set up: {0}")]
    Library(String),
}

/// SHA-256 of the certificate's public key (the DER of its SubjectPublicKeyInfo), in lower-case
/// hexadecimal: what a device pins. It survives a renewal that keeps the key.
///
/// # Errors
/// Where the bytes are not an X.509 certificate.
pub fn spki_fingerprint(certificate: &CertificateDer<'_>) -> Result<String, TlsError> {
    let parsed = ParsedCertificate::try_from(certificate)
        .map_err(|error| TlsError::Library(error.to_string()))?;
    Ok(hex::encode(digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref()))
}

/// The certificate in use; exchanged as a whole.
#[derive(Debug)]
struct Resolver {
    current: RwLock<Arc<CertifiedKey>>,
}

impl Resolver {
    fn replace(&self, key: Arc<CertifiedKey>) {
        // A poisoned lock holds a whole Arc all the same: nothing is half-written.
        *self.current.write().unwrap_or_else(|poison| poison.into_inner()) = key;
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(|poison| poison.into_inner()).clone())
    }
}

/// TLS as the accept loop uses it.
pub(super) struct Tls {
    pub(super) config: Arc<rustls::ServerConfig>,
    /// What devices pin.
    pub(super) fingerprint: String,
    watched: Option<Watched>,
}

struct Watched {
    cert: PathBuf,
    key: PathBuf,
    seen: Stamp,
    resolver: Arc<Resolver>,
}

/// When the two files were last written, and how long they were: a change of either means "read".
type Stamp = [Option<(SystemTime, u64)>; 2];

fn stamp(cert: &Path, key: &Path) -> Stamp {
    [cert, key].map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

impl Tls {
    /// Opens the source; `None` where no TLS was asked for, on loopback.
    ///
    /// # Errors
    /// [`TlsError`], each naming the file and the way out.
    pub(super) fn open(source: &TlsSource, listen: SocketAddr) -> Result<Option<Tls>, TlsError> {
        let (cert, key, watch) = match source {
            TlsSource::Plain if is_loopback(listen.ip()) => return Ok(None),
            TlsSource::Plain => return Err(TlsError::PlainBeyondLoopback { listen }),
            TlsSource::Files { cert, key } => (cert.clone(), key.clone(), true),
            TlsSource::SelfSigned { dir } => {
                let (cert, key) = self_signed(dir, listen.ip())?;
                (cert, key, false)
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let seen = stamp(&cert, &key);
        let certified = load(&cert, &key, &provider)?;
        let fingerprint = certified
            .cert
            .first()
            .ok_or_else(|| no_certificate(&cert))
            .and_then(spki_fingerprint)?;
        let resolver = Arc::new(Resolver { current: RwLock::new(Arc::new(certified)) });
        let library = |error: rustls::Error| TlsError::Library(error.to_string());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(library)?
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Stateless tickets: a thousand phones that come back at once resume instead of shaking
        // hands in full, and the server keeps nothing for them.
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(library)?;
        let watched = watch.then_some(Watched { cert, key, seen, resolver });
        Ok(Some(Tls { config: Arc::new(config), fingerprint, watched }))
    }

    /// Looks at the files until the server stops; a new pair is used for the next handshake, a bad
    /// one is logged and the old one stays.
    pub(super) fn watch(
        &mut self,
        stop: CancellationToken,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let mut watched = self.watched.take()?;
        Some(async move {
            let mut ticks = tokio::time::interval(RELOAD_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                // Two small files every few seconds: the blocking pool is there for it.
                let Ok(back) = tokio::task::spawn_blocking(move || {
                    watched.reload();
                    watched
                })
                .await
                else {
                    return;
                };
                watched = back;
            }
        })
    }
}

impl Watched {
    /// Whether a changed pair was taken into use.
    fn reload(&mut self) -> bool {
        let now = stamp(&self.cert, &self.key);
        if now == self.seen {
            return false;
        }
        let provider = rustls::crypto::ring::default_provider();
        match load(&self.cert, &self.key, &provider) {
            Ok(certified) => {
                self.resolver.replace(Arc::new(certified));
                self.seen = now;
                tracing::info!(cert = %self.cert.display(), "certificate reloaded");
                true
            }
            Err(error) => {
                // Not marked as seen: while the operator copies the second file, the next look
                // finds both.
                tracing::warn!(%error, "the new certificate can't be used, the old one stays in use");
                false
            }
        }
    }
}

fn no_certificate(path: &Path) -> TlsError {
    TlsError::Content { path: path.into(), reason: "no certificate in PEM form was found".into() }
}

fn load(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let content = |path: &Path, error: &dyn std::fmt::Display| TlsError::Content {
        path: path.into(),
        reason: error.to_string(),
    };
    let chain = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| content(cert, &error))?;
    if chain.is_empty() {
        return Err(no_certificate(cert));
    }
    let key_der =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| content(key, &error))?;
    let signer =
        provider.key_provider.load_private_key(key_der).map_err(|error| content(key, &error))?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { cert: cert.into(), key: key.into() })
        }
        Err(error) => Err(content(cert, &error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.into(), source })
}

/// Whether only this machine reaches an address.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The kept self-signed pair, made where there is none.
fn self_signed(dir: &Path, listen: IpAddr) -> Result<(PathBuf, PathBuf), TlsError> {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    if cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    let library = |error: rcgen::Error| TlsError::Library(error.to_string());
    let file = |path: &Path| {
        let path = path.to_path_buf();
        move |source| TlsError::File { path, source }
    };
    fs::create_dir_all(dir).map_err(file(dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(file(dir))?;
    let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
    if !listen.is_unspecified() && !is_loopback(listen) {
        names.push(listen.to_string());
    }
    let pair = rcgen::KeyPair::generate().map_err(library)?;
    let mut params = rcgen::CertificateParams::new(names).map_err(library)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Roadbook development server");
    let made = params.self_signed(&pair).map_err(library)?;
    // The key first and whole: a start that finds both files may trust them.
    files::write_whole(&key, pair.serialize_pem().as_bytes(), files::PRIVATE)
        .map_err(file(&key))?;
    files::write_whole(&cert, made.pem().as_bytes(), 0o644).map_err(file(&cert))?;
    Ok((cert, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1:0";

    fn open(source: &TlsSource) -> Tls {
        Tls::open(source, LOOPBACK.parse().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn a_self_signed_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let source = TlsSource::SelfSigned { dir: dir.path().join("tls") };
        let first = open(&source).fingerprint;
        assert_eq!(first, open(&source).fingerprint, "a second start keeps the certificate");
        assert_eq!(first.len(), 64);
        let mode = fs::metadata(dir.path().join("tls/key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn plain_is_refused_where_other_machines_reach_it() {
        for open in ["0.0.0.0:8080", "192.0.2.7:80", "[::]:80"] {
            let refused = Tls::open(&TlsSource::Plain, open.parse().unwrap());
            let Err(TlsError::PlainBeyondLoopback { listen }) = refused else { panic!("{open}") };
            assert_eq!(listen.to_string(), open);
        }
        for local in [LOOPBACK, "[::1]:0", "127.8.8.8:0"] {
            assert!(Tls::open(&TlsSource::Plain, local.parse().unwrap()).unwrap().is_none());
        }
    }

    #[test]
    fn a_changed_pair_is_taken_and_a_bad_one_leaves_the_old_in_use() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            open(&TlsSource::SelfSigned { dir: dir.path().into() });
        }
        let (cert, key) = (one.path().join("cert.pem"), one.path().join("key.pem"));
        let tls = open(&TlsSource::Files { cert: cert.clone(), key: key.clone() });
        let mut watched = tls.watched.unwrap();
        let used = |watched: &Watched| watched.resolver.current.read().unwrap().cert[0].clone();
        let before = used(&watched);
        assert!(!watched.reload(), "nothing changed");

        fs::write(&cert, "-----BEGIN nonsense").unwrap();
        assert!(!watched.reload());
        fs::copy(two.path().join("cert.pem"), &cert).unwrap();
        assert!(!watched.reload(), "the key is still the other one's");
        assert_eq!(used(&watched), before);

        fs::copy(two.path().join("key.pem"), &key).unwrap();
        assert!(watched.reload());
        assert_ne!(used(&watched), before);
    }

    #[test]
    fn a_certificate_of_another_key_is_refused_at_the_start() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            open(&TlsSource::SelfSigned { dir: dir.path().into() });
        }
        let source =
            TlsSource::Files { cert: one.path().join("cert.pem"), key: two.path().join("key.pem") };
        let refused = Tls::open(&source, LOOPBACK.parse().unwrap());
        assert!(matches!(refused, Err(TlsError::Mismatch { .. })));
    }
}
