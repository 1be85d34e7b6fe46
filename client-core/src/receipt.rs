//! Where an edit is: on this device, on the server, in the managers' view, or refused with a reason.

use roadbook_protocol::wire::Fate;
use serde::{Deserialize, Serialize};

/// The receipt of one edit. It moves forward only; a new timeline of the server may take it back
/// (rule 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Durable on this device.
    Saved,
    /// Durable on the server.
    Stored,
    /// The server has another change in its place (a copied replica): it is being authored anew.
    Forked,
    /// Waits for the new owner's decision.
    Proposed,
    /// Part of the contact, in the managers' view.
    Merged,
    /// Kept with a reason, not part of the contact.
    Quarantined,
    /// Another change carries the same edit.
    Replaced,
    /// Erased with its contact.
    Erased,
}

impl Receipt {
    /// The word for it: in the database, in JSON, on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Receipt::Saved => "saved",
            Receipt::Stored => "stored",
            Receipt::Forked => "forked",
            Receipt::Proposed => "proposed",
            Receipt::Merged => "merged",
            Receipt::Quarantined => "quarantined",
            Receipt::Replaced => "replaced",
            Receipt::Erased => "erased",
        }
    }

    /// The receipt of that word; an unknown one reads as `Saved`, so that nothing is taken for sent.
    pub(crate) fn from_name(word: &str) -> Receipt {
        const ALL: [Receipt; 8] = [
            Receipt::Saved,
            Receipt::Stored,
            Receipt::Forked,
            Receipt::Proposed,
            Receipt::Merged,
            Receipt::Quarantined,
            Receipt::Replaced,
            Receipt::Erased,
        ];
        ALL.into_iter().find(|receipt| receipt.as_str() == word).unwrap_or(Receipt::Saved)
    }

    /// What a fate told by the server makes of a receipt; `None` if it says nothing new.
    pub(crate) fn from_fate(fate: Fate) -> Option<Receipt> {
        match fate {
            Fate::Stored => Some(Receipt::Stored),
            Fate::Merged => Some(Receipt::Merged),
            Fate::Quarantined => Some(Receipt::Quarantined),
            Fate::Replaced => Some(Receipt::Replaced),
            Fate::Proposed => Some(Receipt::Proposed),
            Fate::Erased => Some(Receipt::Erased),
            Fate::Forked => Some(Receipt::Forked),
            // Never seen by the server: back in the outbox. Only a waiting change is left as it is.
            Fate::Unknown => Some(Receipt::Saved),
            Fate::Waiting => None,
        }
    }

    /// Whether `next` is a step forward from here within one timeline. A proposal may still be
    /// decided; everything else that is final stays.
    pub(crate) fn may_become(self, next: Receipt) -> bool {
        match self {
            Receipt::Saved => next != Receipt::Saved,
            // `Unknown` is told only of a change that the server was asked for and does not have.
            Receipt::Stored => next != Receipt::Stored,
            Receipt::Forked => {
                matches!(next, Receipt::Merged | Receipt::Replaced | Receipt::Erased)
            }
            Receipt::Proposed => {
                matches!(
                    next,
                    Receipt::Merged | Receipt::Replaced | Receipt::Quarantined | Receipt::Erased
                )
            }
            Receipt::Merged | Receipt::Quarantined | Receipt::Replaced => next == Receipt::Erased,
            Receipt::Erased => false,
        }
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_never_goes_back_once_the_fate_is_final() {
        for last in [Receipt::Merged, Receipt::Quarantined, Receipt::Replaced, Receipt::Erased] {
            for next in [Receipt::Saved, Receipt::Stored, Receipt::Forked, Receipt::Proposed] {
                assert!(!last.may_become(next), "{last} became {next}");
            }
        }
        assert!(Receipt::Saved.may_become(Receipt::Merged));
        assert!(Receipt::Stored.may_become(Receipt::Quarantined));
    }

    #[test]
    fn every_word_reads_back() {
        for word in
            ["saved", "stored", "forked", "proposed", "merged", "quarantined", "replaced", "erased"]
        {
            assert_eq!(Receipt::from_name(word).as_str(), word);
        }
    }
}
