//! Who, when and what: carried as JSON in the message of each change (rule 24).
//!
//! `by` is checked by gate 1 against the user of the device that sent the change. `at` is the
//! device's own claim and decides nothing.

use automerge::ChangeHash;
use serde::{Deserialize, Serialize};

use crate::ids::{UnixMs, UserId};

/// The message of a change. Unknown fields of a newer version are ignored on reading; the change's
/// bytes keep them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMessage {
    /// The user who made the edit.
    pub by: UserId,
    /// When the device says it was made, in milliseconds since 1970.
    pub at: UnixMs,
    /// The kind of the edit: `create`, `set`, `visit`, `note`, `resolve`, `group` ...
    pub command: String,
    /// The changes that this one replaces (rule 8), as lower-case hexadecimal hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "hex_hashes")]
    pub replaces: Vec<ChangeHash>,
    /// What a conflict was decided to be, where this change resolves one (rule 14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Where a document was begun anew (rule 25): only in changes that a rewrite made. Nobody else may
    /// write it; the log refuses it from a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationMark>,
}

/// What a change says that begins, or joins, a document of a later generation (rule 25).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationMark {
    /// The generation that the document is of: [`crate::document::generation_number`].
    pub number: u64,
    /// Whether the past is to be gone for good, on devices too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purged: bool,
    /// Whether with this change the beginning is complete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

impl ChangeMessage {
    /// The text to put into the change.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a change's message; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

mod hex_hashes {
    use automerge::ChangeHash;
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::SerializeSeq};

    pub fn serialize<S: Serializer>(hashes: &[ChangeHash], s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(hashes.len()))?;
        for hash in hashes {
            seq.serialize_element(&hash.to_string())?;
        }
        seq.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<ChangeHash>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        texts
            .iter()
            .map(|text| text.parse().map_err(|_| D::Error::custom("not a change hash")))
            .collect()
    }
}
