//! The server's settings: one table of keys, read from a file, the environment and flags.
//!
//! Precedence: flags, then environment (`ROADBOOK_KEY`), then the file (`--config FILE`, TOML), then
//! the default. Every key is one row of [`KEYS`]; `docs/configuration.md` lists exactly these rows,
//! and a test compares the two. A key that nobody knows is refused with the nearest one that exists,
//! never ignored: a misspelt limit would otherwise be no limit.
//!
//! Nothing here opens a socket or a database, and no secret is a setting: keys and certificates are
//! named by their files.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

mod table;
#[cfg(test)]
mod tests;

pub use table::{KEYS, Key, markdown_table};

use crate::office::oidc::SecondFactor;

/// A settings file larger than this is not read.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How the server proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A certificate chain and its key, PEM files; they are read again when they change.
    Files {
        /// The chain, the server's own certificate first.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// A certificate that the server makes itself and keeps in its data directory.
    SelfSigned,
    /// None. Only on a loopback address.
    Plain,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// All settings of one server process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The directory that holds the database, the lock, the control socket and the self-made
    /// certificate.
    pub data: PathBuf,
    /// Where to listen, as given: `HOST:PORT`. Port 0 takes a free one.
    pub listen: String,
    /// The certificate chain file.
    pub tls_cert: Option<PathBuf>,
    /// The private key file.
    pub tls_key: Option<PathBuf>,
    /// Whether the server makes its own certificate.
    pub tls_self_signed: bool,
    /// Whether to speak without TLS.
    pub plain: bool,
    /// Where the ledger is, if not in the data directory.
    pub ledger: Option<PathBuf>,
    /// The address under which browsers and devices reach the server, for links and QR codes.
    pub public_url: Option<String>,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// The filter of log lines: `info`, `roadbook_server=debug,warn` and so on.
    pub log: String,
    /// Threads that merge; 0 takes as many as there are processors, 4 at most.
    pub merge_threads: usize,
    /// Open connections, browsers and devices together; further ones get 503.
    pub connections_max: usize,
    /// How long a connection may take to send its headers, and a TLS handshake may last, in seconds.
    pub header_seconds: u64,
    /// Messages that a device may send a second, on average.
    pub device_messages_per_second: u32,
    /// Messages that a device may send at once.
    pub device_messages_burst: u32,
    /// Bytes that a device may send a second, on average.
    pub device_bytes_per_second: u64,
    /// How long a shutdown waits for devices and browsers to leave, in seconds.
    pub drain_seconds: u64,
    /// How long an enrolment or sign-in code can be used, in minutes.
    pub code_minutes: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Hosts inside the network that webhooks may be sent to.
    pub webhook_private_hosts: Vec<String>,
    /// The file whose first line lets `/metrics` be read from other machines.
    pub metrics_token_file: Option<PathBuf>,
    /// The address of the company's identity provider; without it people sign in with passwords.
    pub oidc_issuer: Option<String>,
    /// The name under which Roadbook is registered at the provider.
    pub oidc_client_id: Option<String>,
    /// The file whose first line is the secret of that registration.
    pub oidc_client_secret_file: Option<PathBuf>,
    /// The claim of the ID token whose value is a login.
    pub oidc_claim: String,
    /// What the sign-in button calls the provider.
    pub oidc_name: String,
    /// The workspace whose people come in by the provider.
    pub oidc_workspace: Option<String>,
    /// Who asks for the second factor of somebody who comes by the provider.
    pub oidc_second_factor: SecondFactor,
    /// Certificate authorities to trust at the provider beside the system's.
    pub oidc_ca_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("roadbook-data"),
            listen: "127.0.0.1:7430".to_owned(),
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            plain: false,
            ledger: None,
            public_url: None,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
            merge_threads: 0,
            connections_max: 20_000,
            header_seconds: 10,
            device_messages_per_second: 50,
            device_messages_burst: 200,
            device_bytes_per_second: 1024 * 1024,
            drain_seconds: 30,
            code_minutes: 10,
            trusted_proxies: Vec::new(),
            webhook_private_hosts: Vec::new(),
            metrics_token_file: None,
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret_file: None,
            oidc_claim: "email".to_owned(),
            oidc_name: "your company account".to_owned(),
            oidc_workspace: None,
            oidc_second_factor: SecondFactor::Provider,
            oidc_ca_file: None,
        }
    }
}

/// Where a setting came from; named in every error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A settings file.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => f.write_str("the command line"),
            Source::Environment => f.write_str("the environment"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file can't be read.
    #[error("settings file {}: {reason}; give a readable file with --config, or leave the flag out", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No setting has this name.
    #[error("{origin}: there is no setting `{key}`{}", match nearest { Some(n) => format!("; did you mean `{n}`?"), None => "; docs/configuration.md lists all of them".to_owned() })]
    UnknownKey {
        /// Where it stood.
        origin: Source,
        /// The name that was given.
        key: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// The value does not fit its setting.
    #[error("{origin}: `{key}` can't be `{value}`: {reason}")]
    Value {
        /// Where it stood.
        origin: Source,
        /// The setting.
        key: &'static str,
        /// The value that was given.
        value: String,
        /// What would fit.
        reason: String,
    },
    /// Two settings exclude each other, or one needs another.
    #[error("{0}")]
    Contradiction(String),
}

impl Config {
    /// Reads all layers. `flags` are (key, text) pairs of the command line, `env` the process's
    /// variables, `file` the settings file if one was named.
    pub fn load(
        flags: &[(&str, String)],
        env: impl Iterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        if let Some(path) = file {
            config.apply_file(path)?;
        }
        config.apply_env(env)?;
        config.apply(
            &Source::Flag,
            flags.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        )?;
        config.tls()?;
        config.provider()?;
        Ok(config)
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let fail = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(fail(format!("it has {size} bytes, at most {FILE_BYTES_MAX} are read")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| fail(e.to_string()))?;
        let origin = Source::File(path.to_owned());
        let mut layer = Vec::new();
        for (key, value) in &table {
            // The name is checked first: a misspelt key is the likelier mistake than its value.
            find(&origin, key)?;
            let text = plain_text(value).ok_or_else(|| {
                fail(format!(
                    "`{key}` is a table or a nested list; write one value, or a list of texts"
                ))
            })?;
            layer.push((key.clone(), text));
        }
        self.apply(&origin, layer)
    }

    fn apply_env(
        &mut self,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let mut layer = Vec::new();
        for (name, value) in env {
            let Some(key) = name.strip_prefix("ROADBOOK_") else { continue };
            let key = key.to_ascii_lowercase();
            if KEYS.iter().any(|known| known.name == key) {
                if !value.is_empty() {
                    layer.push((key, value));
                }
            } else if let Some(nearest) = nearest(&key, KEYS.iter().map(|k| k.name)) {
                // Other programs of the project have variables of their own with this prefix; only
                // what looks like one of ours is refused.
                return Err(ConfigError::UnknownKey {
                    origin: Source::Environment,
                    key: name,
                    nearest: Some(format!("ROADBOOK_{}", nearest.to_ascii_uppercase())),
                });
            }
        }
        self.apply(&Source::Environment, layer)
    }

    /// Takes one layer. Its way to do TLS replaces that of the weaker layers as a whole, so that
    /// `--plain` over a file that names a certificate is no contradiction; two ways in one layer are.
    fn apply(&mut self, origin: &Source, layer: Vec<(String, String)>) -> Result<(), ConfigError> {
        let ways: Vec<TlsWay> =
            layer.iter().filter_map(|(key, text)| TlsWay::of(key, text)).collect();
        if !ways.is_empty() {
            if !ways.contains(&TlsWay::Files) {
                (self.tls_cert, self.tls_key) = (None, None);
            }
            self.tls_self_signed &= ways.contains(&TlsWay::SelfSigned);
            self.plain &= ways.contains(&TlsWay::Plain);
        }
        for (key, text) in layer {
            let spec = find(origin, &key)?;
            (spec.set)(self, text.trim()).map_err(|reason| ConfigError::Value {
                origin: origin.clone(),
                key: spec.name,
                value: text.chars().take(80).collect(),
                reason,
            })?;
        }
        Ok(())
    }

    /// How the server proves who it is. Without any setting it makes its own certificate.
    pub fn tls(&self) -> Result<Tls, ConfigError> {
        match (&self.tls_cert, &self.tls_key, self.tls_self_signed, self.plain) {
            (Some(cert), Some(key), false, false) => {
                Ok(Tls::Files { cert: cert.clone(), key: key.clone() })
            }
            (None, None, false, true) => Ok(Tls::Plain),
            (None, None, _, false) => Ok(Tls::SelfSigned),
            (Some(_), None, ..) => Err(ConfigError::Contradiction(
                "tls_cert is set without tls_key; name the private key's file too".to_owned(),
            )),
            (None, Some(_), ..) => Err(ConfigError::Contradiction(
                "tls_key is set without tls_cert; name the certificate's file too".to_owned(),
            )),
            _ => Err(ConfigError::Contradiction(
                "choose one of tls_cert with tls_key, tls_self_signed, plain".to_owned(),
            )),
        }
    }

    /// The identity provider's address and the name under which Roadbook is registered there, if
    /// people sign in by it.
    pub fn provider(&self) -> Result<Option<(&str, &str)>, ConfigError> {
        let wrong = |text: &str| Err(ConfigError::Contradiction(text.to_owned()));
        match (&self.oidc_issuer, &self.oidc_client_id) {
            (None, None) => Ok(None),
            (Some(_), None) => wrong(
                "oidc_issuer is set without oidc_client_id; name what Roadbook is registered as at the provider",
            ),
            (None, Some(_)) => {
                wrong("oidc_client_id is set without oidc_issuer; name the provider")
            }
            // Without it browsers would be led back to wherever the server happens to listen.
            (Some(_), Some(_)) if self.public_url.is_none() && !self.listens_here_only() => wrong(
                "oidc_issuer needs public_url: the provider leads browsers back to an address that is registered there",
            ),
            (Some(issuer), Some(id)) => Ok(Some((issuer, id))),
        }
    }

    fn listens_here_only(&self) -> bool {
        let host = self.listen.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The addresses to listen on: each one that the host name stands for. Refuses to speak without
    /// TLS anywhere but on this machine.
    pub fn listen_addresses(&self) -> Result<Vec<SocketAddr>, ConfigError> {
        let addresses: Vec<SocketAddr> = self
            .listen
            .to_socket_addrs()
            .map_err(|e| {
                ConfigError::Contradiction(format!(
                    "listen address `{}`: {e}; write HOST:PORT, such as 127.0.0.1:7430 or [::]:443",
                    self.listen
                ))
            })?
            .collect();
        if self.plain
            && let Some(open) = addresses.iter().find(|a| !a.ip().is_loopback())
        {
            return Err(ConfigError::Contradiction(format!(
                "--plain on {open} is refused: customer data and sign-ins would cross the network \
                 readable and changeable by anyone on the way; use --tls-self-signed or \
                 --tls-cert/--tls-key, or listen on 127.0.0.1 behind a proxy that does TLS"
            )));
        }
        Ok(addresses)
    }

    /// Threads that merge, with 0 worked out.
    pub fn merge_threads(&self) -> usize {
        match self.merge_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from).min(4),
            n => n,
        }
    }

    /// The file of the control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.data.join(crate::admin::control::SOCKET_NAME)
    }
}

/// Which way of doing TLS a setting chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsWay {
    Files,
    SelfSigned,
    Plain,
}

impl TlsWay {
    fn of(key: &str, text: &str) -> Option<Self> {
        let on = !matches!(text.trim(), "false" | "no" | "0");
        match key {
            "tls_cert" | "tls_key" => Some(Self::Files),
            "tls_self_signed" if on => Some(Self::SelfSigned),
            "plain" if on => Some(Self::Plain),
            _ => None,
        }
    }
}

fn find(origin: &Source, key: &str) -> Result<&'static Key, ConfigError> {
    KEYS.iter().find(|spec| spec.name == key).ok_or_else(|| ConfigError::UnknownKey {
        origin: origin.clone(),
        key: key.chars().take(80).collect(),
        nearest: nearest(key, KEYS.iter().map(|k| k.name)).map(str::to_owned),
    })
}

/// A TOML scalar, or a list of scalars with commas between, as the text a flag would have.
fn plain_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(n) => Some(n.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        toml::Value::Array(items) if items.iter().all(|i| !i.is_array() && !i.is_table()) => {
            Some(items.iter().filter_map(plain_text).collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}

/// The candidate that is most like a misspelt name, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
