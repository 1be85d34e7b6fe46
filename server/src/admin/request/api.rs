//! The commands about keys of the HTTP API, and about webhooks. The same values are the words of the command line.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `api-key`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum ApiKeyCommand {
    /// Make a key and print it; it is not shown again.
    Add {
        /// What to call it: the program that uses it.
        name: String,
        /// What it may be used for: contacts:read, contacts:write, people:read, devices:read,
        /// changes:read, decisions:read, decisions:write, webhooks:manage. Several with commas between,
        /// or several times.
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<String>,
        /// Whose rights it has, and in whose name it writes; the first admin unless given.
        #[arg(long = "user", value_name = "LOGIN")]
        user: Option<String>,
        /// Requests a minute.
        #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=60_000))]
        rate: u32,
    },
    /// List keys, without their secrets.
    List,
    /// Revoke a key: from now on it opens nothing.
    Revoke {
        /// Its id or its name.
        key: String,
    },
}

/// `webhook`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum WebhookCommand {
    /// Send events of the change feed to an address from now on; prints the secret of the signatures.
    Add {
        /// The address, https://HOST/PATH.
        url: String,
        /// Which events: contact.created, contact.changed, contact.assigned, contact.removed,
        /// contact.erased; all unless given. Several with commas between, or several times.
        #[arg(long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Vec<String>,
        /// Whose reach it has; the first admin unless given.
        #[arg(long = "user", value_name = "LOGIN")]
        user: Option<String>,
        /// How often an event is tried before it goes onto the list of what was given up.
        #[arg(long, value_name = "N", default_value_t = crate::api::ATTEMPTS)]
        attempts: u32,
        /// How many milliseconds to wait after the first failure; twice as long after each further one, up
        /// to an hour.
        #[arg(long, value_name = "MS", default_value_t = crate::api::BACKOFF_MS)]
        backoff_ms: u64,
    },
    /// List webhooks: how far each is, what it waits for, what it has given up.
    List,
    /// Remove a webhook, and what it has given up.
    Remove {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// List the events that a webhook has given up.
    Dead {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Send events again that a webhook has given up.
    Retry {
        /// Its id, or a unique beginning of it.
        id: String,
        /// This one only, by its number; all unless given.
        #[arg(long, value_name = "N")]
        n: Option<i64>,
    },
}
