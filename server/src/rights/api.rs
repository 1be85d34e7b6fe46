//! What a key of the HTTP API may be used for. A scope only narrows down: what is done with a key is
//! also judged by the rights of the person whose key it is.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::store::EngineError;

/// One thing that a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApiScope {
    /// To list and read contacts and what is in them.
    #[serde(rename = "contacts:read")]
    ContactsRead,
    /// To make, edit, archive and assign contacts.
    #[serde(rename = "contacts:write")]
    ContactsWrite,
    /// To list people and teams.
    #[serde(rename = "people:read")]
    PeopleRead,
    /// To list devices.
    #[serde(rename = "devices:read")]
    DevicesRead,
    /// To read the change feed.
    #[serde(rename = "changes:read")]
    ChangesRead,
    /// To read late edits and quarantined changes.
    #[serde(rename = "decisions:read")]
    DecisionsRead,
    /// To decide late edits.
    #[serde(rename = "decisions:write")]
    DecisionsWrite,
    /// To add, list and remove webhooks, and to deliver again.
    #[serde(rename = "webhooks:manage")]
    WebhooksManage,
}

impl ApiScope {
    /// All of them.
    pub const ALL: [ApiScope; 8] = [
        ApiScope::ContactsRead,
        ApiScope::ContactsWrite,
        ApiScope::PeopleRead,
        ApiScope::DevicesRead,
        ApiScope::ChangesRead,
        ApiScope::DecisionsRead,
        ApiScope::DecisionsWrite,
        ApiScope::WebhooksManage,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ApiScope::ContactsRead => "contacts:read",
            ApiScope::ContactsWrite => "contacts:write",
            ApiScope::PeopleRead => "people:read",
            ApiScope::DevicesRead => "devices:read",
            ApiScope::ChangesRead => "changes:read",
            ApiScope::DecisionsRead => "decisions:read",
            ApiScope::DecisionsWrite => "decisions:write",
            ApiScope::WebhooksManage => "webhooks:manage",
        }
    }
}

impl FromStr for ApiScope {
    type Err = EngineError;
    fn from_str(word: &str) -> Result<Self, EngineError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or_else(|| {
            EngineError::Refused {
                code: "scope",
                reason: format!(
                    "`{word}` is no scope; there are {}",
                    Self::ALL.map(ApiScope::as_str).join(", ")
                ),
            }
        })
    }
}
