//! The table of settings: name, default, meaning and how its text is read.

use std::path::PathBuf;

use super::{Config, LogFormat};
use crate::office::oidc::SecondFactor;

/// One setting.
pub struct Key {
    /// The name in the settings file; `ROADBOOK_` and the name in capitals is the variable.
    pub name: &'static str,
    /// What the values are, for people.
    pub values: &'static str,
    /// The default, as the documentation shows it.
    pub default: &'static str,
    /// What it decides, one sentence.
    pub about: &'static str,
    /// Reads its text; the error says what would fit.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Key {
    /// The environment variable of this setting.
    pub fn variable(&self) -> String {
        format!("ROADBOOK_{}", self.name.to_ascii_uppercase())
    }

    /// The flag of this setting on the command line.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

const fn key(
    name: &'static str,
    values: &'static str,
    default: &'static str,
    about: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
) -> Key {
    Key { name, values, default, about, set }
}

/// Every setting there is.
pub const KEYS: &[Key] = &[
    key(
        "data",
        "a directory",
        "roadbook-data",
        "Holds the database, the lock, the control socket and a self-made certificate. One process owns it.",
        |c, v| path(v).map(|v| c.data = v),
    ),
    key(
        "ledger",
        "a file",
        "`ledger` in the data directory",
        "The ledger of erasures and rights, which is replayed after a restore: best on another disk. Remembered in `data`.",
        |c, v| path(v).map(|v| c.ledger = Some(v)),
    ),
    key(
        "listen",
        "HOST:PORT",
        "127.0.0.1:7430",
        "Where to listen; port 0 takes a free one.",
        |c, v| {
            let port = v
                .rsplit_once(':')
                .map(|(host, port)| (host.is_empty(), port.parse::<u16>().is_ok()));
            if port != Some((false, true)) {
                return Err("write HOST:PORT, such as 127.0.0.1:7430 or [::]:443".to_owned());
            }
            c.listen = v.to_owned();
            Ok(())
        },
    ),
    key(
        "tls_cert",
        "a PEM file",
        "none",
        "The certificate chain; read again when the file changes. Needs `tls_key`.",
        |c, v| path(v).map(|v| c.tls_cert = Some(v)),
    ),
    key("tls_key", "a PEM file", "none", "The private key of `tls_cert`.", |c, v| {
        path(v).map(|v| c.tls_key = Some(v))
    }),
    key(
        "tls_self_signed",
        "true or false",
        "true unless another way is chosen",
        "The server makes a certificate, keeps it in `data` and prints its fingerprint, which devices pin.",
        |c, v| yes_no(v).map(|v| c.tls_self_signed = v),
    ),
    key(
        "plain",
        "true or false",
        "false",
        "No TLS; refused on any address but loopback.",
        |c, v| yes_no(v).map(|v| c.plain = v),
    ),
    key(
        "public_url",
        "a URL",
        "the listening address",
        "The address under which browsers and devices reach the server; used in links and QR codes.",
        |c, v| {
            if !(v.starts_with("https://") || v.starts_with("http://"))
                || v.contains(char::is_whitespace)
            {
                return Err("write a URL such as https://roadbook.example.com".to_owned());
            }
            c.public_url = Some(v.trim_end_matches('/').to_owned());
            Ok(())
        },
    ),
    key(
        "log_format",
        "text or json",
        "text",
        "The form of log lines on stderr. Neither has contact data in it.",
        |c, v| {
            c.log_format = match v {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("write text or json".to_owned()),
            };
            Ok(())
        },
    ),
    key(
        "log",
        "a filter",
        "info",
        "Which log lines are written: error, warn, info, debug, trace, also per module as in `warn,roadbook_server=debug`.",
        |c, v| {
            tracing_subscriber::EnvFilter::try_new(v).map_err(|e| e.to_string())?;
            c.log = v.to_owned();
            Ok(())
        },
    ),
    key(
        "merge_threads",
        "0 to 64",
        "0",
        "Threads that merge; 0 takes one per processor, 4 at most.",
        |c, v| number(v, 0, 64).map(|v| c.merge_threads = v as usize),
    ),
    key(
        "connections_max",
        "1 to 1000000",
        "20000",
        "Open connections, browsers and devices together; further ones are turned away with 503.",
        |c, v| number(v, 1, 1_000_000).map(|v| c.connections_max = v as usize),
    ),
    key(
        "header_seconds",
        "1 to 300",
        "10",
        "How long a TLS handshake, and the headers of a request, may take.",
        |c, v| number(v, 1, 300).map(|v| c.header_seconds = v),
    ),
    key(
        "device_messages_per_second",
        "1 to 100000",
        "50",
        "Messages a device may send a second, on average.",
        |c, v| number(v, 1, 100_000).map(|v| c.device_messages_per_second = v as u32),
    ),
    key(
        "device_messages_burst",
        "1 to 100000",
        "200",
        "Messages a device may send at once.",
        |c, v| number(v, 1, 100_000).map(|v| c.device_messages_burst = v as u32),
    ),
    key(
        "device_bytes_per_second",
        "1024 to 1073741824",
        "1048576",
        "Bytes a device may send a second, on average.",
        |c, v| number(v, 1024, 1 << 30).map(|v| c.device_bytes_per_second = v),
    ),
    key(
        "drain_seconds",
        "0 to 3600",
        "30",
        "How long a shutdown gives devices and browsers to leave, spread out.",
        |c, v| number(v, 0, 3600).map(|v| c.drain_seconds = v),
    ),
    key(
        "code_minutes",
        "1 to 1440",
        "10",
        "How long an enrolment or sign-in code can be used.",
        |c, v| number(v, 1, 1440).map(|v| c.code_minutes = v as u32),
    ),
    key(
        "trusted_proxies",
        "IP addresses with commas between",
        "none",
        "Proxies whose `X-Forwarded-For` is believed; without one every client counts under the address of its connection, and nobody can write another into a header.",
        |c, v| {
            c.trusted_proxies = v
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| {
                    part.parse().map_err(|_| {
                        format!("`{part}` is no IP address; write some such as 127.0.0.1,::1")
                    })
                })
                .collect::<Result<_, String>>()?;
            Ok(())
        },
    ),
    key(
        "webhook_private_hosts",
        "host names or IP addresses with commas between",
        "none",
        "Hosts inside the network, or without TLS, that webhooks may be sent to; all others must be on the public internet and use HTTPS.",
        |c, v| {
            c.webhook_private_hosts = v
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            if c.webhook_private_hosts.iter().any(|host| host.contains(['/', ' ', '@', '*'])) {
                return Err(
                    "write names or addresses as they stand in URLs, such as erp.internal,10.0.0.5"
                        .to_owned(),
                );
            }
            Ok(())
        },
    ),
    key(
        "metrics_token_file",
        "a file",
        "none",
        "Its first line is the token with which `/metrics` can be read from other machines (`Authorization: Bearer TOKEN`); this machine needs none.",
        |c, v| path(v).map(|v| c.metrics_token_file = Some(v)),
    ),
    key(
        "oidc_issuer",
        "a URL",
        "none",
        "The company's identity provider (OpenID Connect), exactly as it writes its own address; needs `oidc_client_id`. Without it people sign in with passwords only.",
        |c, v| word(v).map(|v| c.oidc_issuer = Some(v)),
    ),
    key(
        "oidc_client_id",
        "a text",
        "none",
        "The name under which Roadbook is registered at the provider, with `PUBLIC_URL/sign-in/oidc/back` as the address to lead back to.",
        |c, v| word(v).map(|v| c.oidc_client_id = Some(v)),
    ),
    key(
        "oidc_client_secret_file",
        "a file",
        "none",
        "Its first line is the secret of that registration; none is needed where Roadbook is registered as a public client.",
        |c, v| path(v).map(|v| c.oidc_client_secret_file = Some(v)),
    ),
    key(
        "oidc_claim",
        "a claim's name",
        "email",
        "The claim of the ID token whose value is somebody's login here, such as `preferred_username`; `email` counts only where the provider has verified it.",
        |c, v| word(v).map(|v| c.oidc_claim = v),
    ),
    key(
        "oidc_name",
        "a text",
        "your company account",
        "What the button of the sign-in page calls the provider: Sign in with ...",
        |c, v| {
            if v.is_empty() || v.chars().count() > 40 {
                return Err("write 1 to 40 characters".to_owned());
            }
            c.oidc_name = v.to_owned();
            Ok(())
        },
    ),
    key(
        "oidc_workspace",
        "a workspace's name",
        "the only one",
        "The workspace whose people come in by the provider; needed where there are several.",
        |c, v| {
            c.oidc_workspace = Some(v.to_owned()).filter(|v| !v.is_empty());
            Ok(())
        },
    ),
    key(
        "oidc_second_factor",
        "provider or roadbook",
        "provider",
        "Who asks for the second factor of somebody who comes by the provider: `provider` leaves it to the provider, `roadbook` asks whoever has set one up here, as after a password.",
        |c, v| {
            c.oidc_second_factor = match v {
                "provider" => SecondFactor::Provider,
                "roadbook" => SecondFactor::Roadbook,
                _ => return Err("write provider or roadbook".to_owned()),
            };
            Ok(())
        },
    ),
    key(
        "oidc_ca_file",
        "a PEM file",
        "none",
        "Certificate authorities to trust at the provider beside the system's, for a provider inside the company.",
        |c, v| path(v).map(|v| c.oidc_ca_file = Some(v)),
    ),
];

fn word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 500 || text.contains(char::is_whitespace) {
        return Err("write one word, without spaces".to_owned());
    }
    Ok(text.to_owned())
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("name a file or a directory".to_owned())
    } else {
        Ok(PathBuf::from(text))
    }
}

fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

fn number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(format!("write a whole number from {min} to {max}")),
    }
}

/// The table of `docs/configuration.md`, in Markdown.
pub fn markdown_table() -> String {
    let mut out = String::from(
        "| key | variable | flag of `serve` | values | default | what it decides |\n|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        out.push_str(&format!(
            "| `{}` | `{}` | `{}` | {} | {} | {} |\n",
            key.name,
            key.variable(),
            key.flag(),
            key.values,
            key.default,
            key.about
        ));
    }
    out
}
