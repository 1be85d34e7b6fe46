//! Evidence: what the workspace's key says of the contents that a server sends (rule 3).
//!
//! Every frame with content carries one signature. It covers, for each contact in the frame, who
//! holds it and the *tips* of what is sent: the changes that no other change in the frame was made
//! on top of. A hash commits to its whole history, so the tips of all frames that a device got
//! cover everything of others that it holds. If the server loses it, the device brings it back with
//! this evidence, although it is not the author.
//!
//! The statements are the leaves of a hash tree, so that a device can show one of them without the
//! others. Nothing of it travels with a page but the signature: the device knows the rest.
//!
//! Evidence proves that the server sent this to a device of this user, in this timeline, at this
//! cursor. It does not prove that it is the newest state.

use automerge::ChangeHash;
use minicbor::{Decode, Encode};
use ring::digest::{Context, SHA256};

use super::codec;
use super::down::{Access, PageItem};
use super::up::ChangeFate;
use super::{KeyAlgorithm, verify};
use crate::guard::peek_change;
use crate::ids::{ContactId, Cursor, TimelineId, UserId, WorkspaceId};

/// In `Hello`: the device keeps evidence, so frames with content are to be sealed.
pub const CAPABILITY_SEALS: &str = "seals";
/// In `Welcome`: the server takes [`Offer`].
pub const CAPABILITY_OFFERS: &str = "offers";

/// Statements under one seal; more than a frame has contacts.
pub const STATEMENTS_MAX: u32 = 1 << 16;
/// Tips of one statement that are taken as evidence.
pub const TIPS_MAX: usize = 1_024;
/// Pieces of evidence for one contact that one offer may have.
pub const EVIDENCE_MAX: usize = 32;

/// The signature over what a frame says of contacts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Seal {
    /// The Ed25519 signature of [`seal_text`] by the workspace's key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// The public cursor at which the content was read.
    #[n(1)]
    pub as_of: Cursor,
}

/// Hashes in a field that is mostly absent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Tips(#[cbor(n(0), with = "codec::hashes")] pub Vec<ChangeHash>);

/// A piece of evidence: one statement, and how it follows from a signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Evidence {
    /// The timeline of the server that signed it.
    #[n(0)]
    pub timeline: TimelineId,
    /// The public cursor at that moment.
    #[n(1)]
    pub as_of: Cursor,
    /// How the device's user held the contact.
    #[n(2)]
    pub access: Access,
    /// Its owner.
    #[n(3)]
    pub owner: Option<UserId>,
    /// Its assignment epoch.
    #[n(4)]
    pub epoch: u64,
    /// The tips of what was sent, sorted.
    #[cbor(n(5), with = "codec::hashes")]
    pub tips: Vec<ChangeHash>,
    /// The place of the statement under its seal, from 0.
    #[n(6)]
    pub index: u32,
    /// How many statements the seal covers.
    #[n(7)]
    pub count: u32,
    /// The hashes beside the way from the statement to the root, from the bottom.
    #[cbor(n(8), with = "codec::hashes")]
    pub path: Vec<ChangeHash>,
    /// The signature.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// Changes of one contact that the server has lost, with evidence that it had merged them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OfferItem {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// The evidence; in the first part of an item only.
    #[n(1)]
    #[cbor(default)]
    pub evidence: Vec<Evidence>,
    /// Changes in causal order, whoever made them: the tips and all of their history that the server
    /// lacks.
    #[cbor(n(2), with = "codec::blobs")]
    #[cbor(default)]
    pub changes: Vec<Vec<u8>>,
    /// Whether further changes of this contact follow, as the first item of the next offer.
    #[n(3)]
    #[cbor(default)]
    pub more: bool,
}

/// In repair: what the device got from the server's past and the server does not know any more.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Offer {
    /// Numbered from 1 in each connection; [`Offered`] names it.
    #[n(0)]
    pub offer: u64,
    /// The contacts.
    #[n(1)]
    pub items: Vec<OfferItem>,
}

/// The offer is dealt with: what was taken is durable. Sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Offered {
    /// The offer.
    #[n(0)]
    pub offer: u64,
    /// What was not taken, and why.
    #[n(1)]
    #[cbor(default)]
    pub refused: Vec<ChangeFate>,
}

/// What a server says of one contact.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The contact.
    pub contact: ContactId,
    /// How the receiving user holds it.
    pub access: Access,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Its assignment epoch.
    pub epoch: u64,
    /// The tips of what is sent of it, sorted.
    pub tips: &'a [ChangeHash],
}

impl Statement<'_> {
    /// The hash that stands for the statement in the tree.
    pub fn leaf(&self) -> ChangeHash {
        let mut context = Context::new(&SHA256);
        context.update(b"\0roadbook contact 1\0");
        context.update(self.contact.as_bytes());
        context.update(&[match self.access {
            Access::Owner => 0,
            Access::Collaborator => 1,
            Access::Removed => 2,
        }]);
        context.update(&[u8::from(self.owner.is_some())]);
        if let Some(owner) = &self.owner {
            context.update(owner.as_bytes());
        }
        context.update(&self.epoch.to_be_bytes());
        for tip in self.tips {
            context.update(&tip.0);
        }
        finish(context)
    }
}

/// The tips of what an item says, sorted: the heads of a snapshot, or those of its changes that none
/// of the others names. Empty for an item that tells only how the contact is held. `None` where there
/// is no statement: for a contact that was taken away, and where a change can't be read.
pub fn item_tips(item: &PageItem) -> Option<Vec<ChangeHash>> {
    if item.access == Access::Removed {
        return None;
    }
    if let Some(Tips(signed)) = &item.signed {
        return Some(signed.clone());
    }
    let mut tips = match item.snapshot.is_empty() {
        false => item.heads.clone(),
        true => tips_of(item.changes.iter().map(Vec::as_slice))?,
    };
    tips.sort_unstable();
    Some(tips)
}

/// Those of these changes that none of the others was made on top of. `None` where one can't be read.
pub fn tips_of<'a>(changes: impl Iterator<Item = &'a [u8]>) -> Option<Vec<ChangeHash>> {
    let mut tips: Vec<ChangeHash> = Vec::new();
    for change in changes {
        // They are in causal order: a change names earlier ones only.
        let (hash, deps) = peek_change(change)?;
        tips.retain(|tip| !deps.contains(tip));
        tips.push(hash);
    }
    tips.sort_unstable();
    Some(tips)
}

/// What a frame says of one of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The index of the item in the frame.
    pub item: usize,
    /// The hash of the statement.
    pub leaf: ChangeHash,
    /// The tips of what is sent.
    pub tips: Vec<ChangeHash>,
}

/// The statements of a frame, in the order of its items.
pub fn statements(items: &[PageItem]) -> Vec<Stated> {
    let statement = |(index, item): (usize, &PageItem)| {
        let tips = item_tips(item)?;
        let PageItem { contact, access, owner, epoch, .. } = *item;
        let leaf = Statement { contact, access, owner, epoch, tips: &tips }.leaf();
        Some(Stated { item: index, leaf, tips })
    };
    items.iter().enumerate().filter_map(statement).collect()
}

/// The root of the tree over these leaves; an odd one at the end of a row goes up as it is.
pub fn root(leaves: &[ChangeHash]) -> ChangeHash {
    let mut row = leaves.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(join_chunk).collect();
    }
    row.first().copied().unwrap_or(ChangeHash([0; 32]))
}

/// The hashes beside the way from a leaf to the root.
pub fn path(leaves: &[ChangeHash], index: usize) -> Vec<ChangeHash> {
    let (mut row, mut index, mut path) = (leaves.to_vec(), index, Vec::new());
    while row.len() > 1 {
        path.extend(row.get(index ^ 1));
        row = row.chunks(2).map(join_chunk).collect();
        index /= 2;
    }
    path
}

fn join_chunk(chunk: &[ChangeHash]) -> ChangeHash {
    match chunk {
        [left, right] => join(left, right),
        [one] => *one,
        _ => ChangeHash([0; 32]),
    }
}

fn join(left: &ChangeHash, right: &ChangeHash) -> ChangeHash {
    let mut context = Context::new(&SHA256);
    context.update(b"\x01");
    context.update(&left.0);
    context.update(&right.0);
    finish(context)
}

/// The root to which a leaf leads; `None` where the path does not fit the place.
fn climb(leaf: ChangeHash, index: u32, count: u32, path: &[ChangeHash]) -> Option<ChangeHash> {
    if index >= count || count > STATEMENTS_MAX {
        return None;
    }
    let (mut at, mut index, mut count, mut path) = (leaf, index, count, path.iter());
    while count > 1 {
        if index ^ 1 < count {
            let beside = path.next()?;
            at = if index % 2 == 0 { join(&at, beside) } else { join(beside, &at) };
        }
        index /= 2;
        count = count.div_ceil(2);
    }
    path.next().is_none().then_some(at)
}

fn finish(context: Context) -> ChangeHash {
    let mut hash = [0u8; 32];
    hash.copy_from_slice(context.finish().as_ref());
    ChangeHash(hash)
}

/// What the workspace's key signs of a frame: to whom it goes, when it was read, and the root of the
/// statements in it.
pub fn seal_text(
    workspace: &WorkspaceId,
    user: &UserId,
    timeline: &TimelineId,
    as_of: Cursor,
    root: &ChangeHash,
) -> Vec<u8> {
    [
        b"roadbook heads 1\0".as_slice(),
        workspace.as_bytes(),
        user.as_bytes(),
        timeline.as_bytes(),
        &as_of.to_be_bytes(),
        &root.0,
    ]
    .concat()
}

impl Evidence {
    /// Whether the workspace's key said this of the contact, to a device of this user.
    pub fn holds(
        &self,
        workspace: &WorkspaceId,
        user: &UserId,
        contact: ContactId,
        workspace_key: &[u8],
    ) -> bool {
        if self.tips.len() > TIPS_MAX || !self.tips.is_sorted() || self.access == Access::Removed {
            return false;
        }
        let Evidence { access, owner, epoch, .. } = *self;
        let leaf = Statement { contact, access, owner, epoch, tips: &self.tips }.leaf();
        let Some(root) = climb(leaf, self.index, self.count, &self.path) else { return false };
        let text = seal_text(workspace, user, &self.timeline, self.as_of, &root);
        verify(KeyAlgorithm::Ed25519, workspace_key, &text, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn hash(n: u8) -> ChangeHash {
        ChangeHash([n; 32])
    }
    fn contact(n: u8) -> ContactId {
        ContactId::from_bytes([n; 16])
    }

    struct Signed {
        workspace: WorkspaceId,
        user: UserId,
        key: Vec<u8>,
        evidence: Vec<Evidence>,
    }

    /// A frame about so many contacts, sealed, and each one's evidence.
    fn signed(count: u8) -> Signed {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
        let (workspace, user) = (WorkspaceId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let timeline = TimelineId::from_bytes([3; 16]);
        let tips = |n: u8| vec![hash(n), hash(n + 100)];
        let leaves: Vec<ChangeHash> = (0..count)
            .map(|n| {
                let (access, owner) = (Access::Collaborator, Some(user));
                Statement { contact: contact(n), access, owner, epoch: 4, tips: &tips(n) }.leaf()
            })
            .collect();
        let text = seal_text(&workspace, &user, &timeline, 77, &root(&leaves));
        let signature = pair.sign(&text).as_ref().to_vec();
        let evidence = (0..count)
            .map(|n| Evidence {
                timeline,
                as_of: 77,
                access: Access::Collaborator,
                owner: Some(user),
                epoch: 4,
                tips: tips(n),
                index: u32::from(n),
                count: u32::from(count),
                path: path(&leaves, usize::from(n)),
                signature: signature.clone(),
            })
            .collect();
        Signed { workspace, user, key: pair.public_key().as_ref().to_vec(), evidence }
    }

    #[test]
    fn each_statement_of_a_frame_can_be_shown_without_the_others() {
        for count in 1..=33 {
            let Signed { workspace, user, key, evidence } = signed(count);
            for (n, evidence) in (0..).zip(evidence) {
                assert!(evidence.holds(&workspace, &user, contact(n), &key), "{n} of {count}");
                assert!(evidence.path.len() <= 6);
            }
        }
    }

    #[test]
    fn evidence_with_anything_changed_does_not_hold() {
        let Signed { workspace, user, key, evidence } = signed(7);
        let good = &evidence[3];
        let holds = |evidence: &Evidence| evidence.holds(&workspace, &user, contact(3), &key);
        assert!(holds(good));
        let mut changed = Vec::new();
        let mut with = |change: &dyn Fn(&mut Evidence)| {
            let mut one = good.clone();
            change(&mut one);
            changed.push(one);
        };
        with(&|e| e.timeline = TimelineId::from_bytes([9; 16]));
        with(&|e| e.as_of += 1);
        with(&|e| e.access = Access::Owner);
        with(&|e| e.access = Access::Removed);
        with(&|e| e.owner = None);
        with(&|e| e.epoch += 1);
        with(&|e| e.tips.push(hash(200)));
        with(&|e| e.tips.truncate(1));
        with(&|e| e.tips.reverse());
        with(&|e| e.index = 2);
        with(&|e| e.count = 4);
        with(&|e| e.count = u32::MAX);
        with(&|e| e.path.push(hash(1)));
        with(&|e| e.path.truncate(1));
        with(&|e| e.signature[10] ^= 1);
        with(&|e| e.signature.clear());
        for (n, one) in changed.iter().enumerate() {
            assert!(!holds(one), "change {n} went unnoticed");
        }
        // Of another contact, for another user, in another workspace, by another key.
        assert!(!good.holds(&workspace, &user, contact(4), &key));
        assert!(!good.holds(&workspace, &UserId::from_bytes([8; 16]), contact(3), &key));
        assert!(!good.holds(&WorkspaceId::from_bytes([8; 16]), &user, contact(3), &key));
        assert!(!good.holds(&workspace, &user, contact(3), &[0; 32]));
    }
}
