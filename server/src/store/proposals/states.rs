//! Where the items of a set of late edits stand, and what they come to together.

use serde::{Deserialize, Serialize};

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// An interaction that took place: it is being taken by itself.
    Due,
    /// Waits for a decision.
    Open,
    /// Part of the contact.
    Accepted,
    /// Not wanted; kept all the same.
    Declined,
}

impl ItemState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ItemState::Due => "due",
            ItemState::Open => "open",
            ItemState::Accepted => "accepted",
            ItemState::Declined => "declined",
        }
    }

    pub(super) fn from_name(word: &str) -> ItemState {
        match word {
            "due" => ItemState::Due,
            "accepted" => ItemState::Accepted,
            "declined" => ItemState::Declined,
            _ => ItemState::Open,
        }
    }

    pub(super) fn waits(self) -> bool {
        matches!(self, ItemState::Due | ItemState::Open)
    }
}

/// Where a set stands, as its receipts on the device say it (rule 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetState {
    /// Something of it waits for a decision.
    Open,
    /// All of it is part of the contact.
    Accepted,
    /// Nothing of it is.
    Declined,
    /// Some of it is.
    InPart,
}

impl SetState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            SetState::Open => "open",
            SetState::Accepted => "accepted",
            SetState::Declined => "declined",
            SetState::InPart => "in_part",
        }
    }

    /// What items come to together. None at all means that it has not been taken apart yet.
    pub(super) fn of(states: impl Iterator<Item = ItemState>) -> SetState {
        let (mut accepted, mut declined) = (false, false);
        for state in states {
            match state {
                ItemState::Due | ItemState::Open => return SetState::Open,
                ItemState::Accepted => accepted = true,
                ItemState::Declined => declined = true,
            }
        }
        match (accepted, declined) {
            (true, false) => SetState::Accepted,
            (false, true) => SetState::Declined,
            (true, true) => SetState::InPart,
            (false, false) => SetState::Open,
        }
    }
}
