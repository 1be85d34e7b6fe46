//! Frames and signed texts about the permission to hold data: the lease, and the wipe of a device
//! that was revoked (rules 20 and 21).
//!
//! A revoked device gets no customer data. What it may still do is to learn that it is to wipe, to
//! hand over what it has not sent (sealed, so that nothing readable stays on it), and to confirm.

use automerge::ChangeHash;
use minicbor::{Decode, Encode};

use super::codec;
use super::{KeyAlgorithm, Origin, WireError, decompress, verify};
use crate::ids::{Actor, ContactId, DeviceId, EditId, UnixMs, UserId, WorkspaceId};
use crate::sealing::{self, OpeningKey, SealingError};

/// In `Hello`: the device obeys a [`WipeOrder`]. One that does not is sent away as before.
pub const CAPABILITY_WIPE: &str = "wipe";

/// What the text of one part holds before compression, raw; a part has at least one edit.
pub const SEALED_PART_BYTES_MAX: usize = 192 * 1024;
/// Parts of one bundle: 192 MiB of unsent edits.
pub const SEALED_PARTS_MAX: u32 = 1_024;

/// The public half of the workspace's sealing key, signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealingKey {
    /// The X25519 public key, 32 bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// The signature of [`sealing_text`] by the workspace's key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// What the workspace's key signs of a sealing key.
pub fn sealing_text(workspace: &WorkspaceId, key: &[u8]) -> Vec<u8> {
    [b"roadbook sealing key 1\0", workspace.as_bytes().as_slice(), key].concat()
}

impl SealingKey {
    /// Whether the workspace's key vouches for it.
    pub fn holds(&self, workspace: &WorkspaceId, workspace_key: &[u8]) -> bool {
        self.key.len() == sealing::KEY_BYTES
            && verify(
                KeyAlgorithm::Ed25519,
                workspace_key,
                &sealing_text(workspace, &self.key),
                &self.signature,
            )
    }
}

/// The permission to read the replica, until a moment of the server's time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Lease {
    /// When it was given, by the server's clock, milliseconds since 1970.
    #[n(0)]
    pub issued_at: UnixMs,
    /// When it ends; `None`: never.
    #[n(1)]
    pub until: Option<UnixMs>,
    /// The signature of [`lease_text`] by the workspace's key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// What the workspace's key signs of a lease.
pub fn lease_text(
    workspace: &WorkspaceId,
    device: &DeviceId,
    issued_at: UnixMs,
    until: Option<UnixMs>,
) -> Vec<u8> {
    [
        b"roadbook lease 1\0".as_slice(),
        workspace.as_bytes(),
        device.as_bytes(),
        &issued_at.to_be_bytes(),
        &until.unwrap_or(i64::MAX).to_be_bytes(),
    ]
    .concat()
}

impl Lease {
    /// Whether the workspace's key gave it to this device.
    pub fn holds(&self, workspace: &WorkspaceId, device: &DeviceId, workspace_key: &[u8]) -> bool {
        let text = lease_text(workspace, device, self.issued_at, self.until);
        verify(KeyAlgorithm::Ed25519, workspace_key, &text, &self.signature)
    }

    /// As a code that a person can send to somebody without a network: groups of four letters and
    /// digits (Crockford's base 32), 30 of them. The end is rounded up to seconds.
    pub fn to_code(&self, sign: impl FnOnce(&Lease) -> Vec<u8>) -> String {
        let until = self.until.map_or(NEVER, |until| {
            u32::try_from(until.saturating_add(999).div_euclid(1_000)).unwrap_or(NEVER)
        });
        let issued_at = self.issued_at.clamp(0, (1 << 48) - 1);
        let signature = sign(&Self::of_code(issued_at, until, Vec::new()));
        let bytes = [&issued_at.to_be_bytes()[2..], &until.to_be_bytes(), &signature].concat();
        let letters = base32(&bytes);
        let groups: Vec<&str> = letters
            .as_bytes()
            .chunks(4)
            .filter_map(|group| std::str::from_utf8(group).ok())
            .collect();
        groups.join("-")
    }

    /// The lease that a code carries; `None` where the code is incomplete or mistyped beyond reading.
    /// Whether it holds has still to be asked.
    pub fn from_code(code: &str) -> Option<Lease> {
        let bytes = from_base32(&super::normalise_code(code))?;
        let (issued_at, rest) = bytes.split_first_chunk::<6>()?;
        let (until, signature) = rest.split_first_chunk::<4>()?;
        if signature.len() != 64 {
            return None;
        }
        let issued_at = issued_at.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        Some(Self::of_code(issued_at, u32::from_be_bytes(*until), signature.to_vec()))
    }

    fn of_code(issued_at: UnixMs, until: u32, signature: Vec<u8>) -> Lease {
        let until = (until != NEVER).then_some(i64::from(until) * 1_000);
        Lease { issued_at, until, signature }
    }
}

/// In a code: without an end.
const NEVER: u32 = u32::MAX;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0u32, 0u32);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        held = held << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
        held &= (1 << bits) - 1;
    }
    // What is left over fills the last letter and is nothing else than zero.
    (held == 0).then_some(bytes)
}

/// The order to wipe, in the place of `Welcome`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WipeOrder {
    /// When the device was revoked, by the server's clock, milliseconds since 1970.
    #[n(0)]
    pub revoked_at: UnixMs,
    /// The X25519 public key to seal what is unsent to, 32 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealing_key: Vec<u8>,
    /// The signature of [`wipe_text`] by the workspace's key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// What the workspace's key signs of a wipe order: it is for one device.
pub fn wipe_text(
    workspace: &WorkspaceId,
    device: &DeviceId,
    revoked_at: UnixMs,
    sealing_key: &[u8],
) -> Vec<u8> {
    [
        b"roadbook wipe 1\0".as_slice(),
        workspace.as_bytes(),
        device.as_bytes(),
        &revoked_at.to_be_bytes(),
        sealing_key,
    ]
    .concat()
}

impl WipeOrder {
    /// Whether the workspace's key gave it to this device.
    pub fn holds(&self, workspace: &WorkspaceId, device: &DeviceId, workspace_key: &[u8]) -> bool {
        let text = wipe_text(workspace, device, self.revoked_at, &self.sealing_key);
        verify(KeyAlgorithm::Ed25519, workspace_key, &text, &self.signature)
    }
}

/// A part of what a device had not sent, sealed. Parts come in order, each can be opened by itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sealed {
    /// Names the bundle: random.
    #[n(0)]
    pub bundle: EditId,
    /// Its number, from 0.
    #[n(1)]
    pub part: u32,
    /// How many there are.
    #[n(2)]
    pub parts: u32,
    /// The public key that it was sealed to.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// The sealed text.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// How many edits it holds.
    #[n(5)]
    #[cbor(default)]
    pub edits: u32,
    /// Whose it is; `None`: of the device that hands it over.
    #[n(6)]
    pub origin: Option<Origin>,
}

/// What became of a sealed part: it is durable at the server, and the device may delete it, unless
/// `code` says that it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedStored {
    /// The bundle.
    #[n(0)]
    pub bundle: EditId,
    /// The part.
    #[n(1)]
    pub part: u32,
    /// The answer to [`Wiped`]: the server knows that nothing is left on the device.
    #[n(2)]
    #[cbor(default)]
    pub confirmed: bool,
    /// Why a copy of another device was not taken, a stable short code: `not_yours`, `unknown_device`,
    /// `forged`. Empty: it was taken.
    #[n(3)]
    #[cbor(default)]
    pub code: String,
    /// The reason, for a person.
    #[n(4)]
    #[cbor(default)]
    pub reason: String,
    /// How many edits of a copy became part of their contacts, or were that already.
    #[n(5)]
    #[cbor(default)]
    pub taken: u32,
    /// How many wait for a decision.
    #[n(6)]
    #[cbor(default)]
    pub proposed: u32,
    /// How many the office keeps and nobody decides about: it may look at them.
    #[n(7)]
    #[cbor(default)]
    pub kept: u32,
}

impl SealedStored {
    /// A part that was taken.
    pub fn taken(bundle: EditId, part: u32) -> Self {
        Self {
            bundle,
            part,
            confirmed: false,
            code: String::new(),
            reason: String::new(),
            taken: 0,
            proposed: 0,
            kept: 0,
        }
    }
}

/// The device's data is destroyed, and what it had not sent is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wiped {
    /// The bundle.
    #[n(0)]
    pub bundle: EditId,
    /// How many parts it had.
    #[n(1)]
    pub parts: u32,
}

/// One edit inside a sealed part.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedEdit {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// The change that carries it; `None` for one that could not be made into a change.
    #[cbor(n(1), with = "codec::maybe_hash")]
    #[cbor(default)]
    pub hash: Option<ChangeHash>,
    /// The raw chunk.
    #[cbor(n(2), with = "minicbor::bytes")]
    #[cbor(default)]
    pub bytes: Vec<u8>,
    /// The actor that made it.
    #[n(3)]
    pub actor: Option<Actor>,
    /// Names the edit; `None` on a bootstrap.
    #[n(4)]
    pub edit: Option<EditId>,
    /// The commands, JSON as the document model writes it; empty on a bootstrap.
    #[n(5)]
    #[cbor(default)]
    pub commands: String,
    /// The kind of the edit: `create`, `set`, `visit` ...
    #[n(6)]
    #[cbor(default)]
    pub label: String,
    /// When it was made, by the device's clock.
    #[n(7)]
    #[cbor(default)]
    pub at: UnixMs,
    /// Why it was not part of the contact: a stable short code; empty for one that was on its way.
    #[n(8)]
    #[cbor(default)]
    pub code: String,
    /// The reason, for a person.
    #[n(9)]
    #[cbor(default)]
    pub reason: String,
}

impl SealedEdit {
    /// As bytes, to be kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Encoding into memory can't fail.
        minicbor::to_vec(self).unwrap_or_default()
    }
    /// The edit that [`Self::to_bytes`] wrote; `None` if it is none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Text {
    #[n(0)]
    edits: Vec<SealedEdit>,
}

/// What a sealed part is bound to besides its key.
fn bound(
    (workspace, device, user): (&WorkspaceId, &DeviceId, &UserId),
    bundle: EditId,
    part: u32,
    parts: u32,
) -> Vec<u8> {
    [
        workspace.as_bytes().as_slice(),
        device.as_bytes(),
        user.as_bytes(),
        bundle.as_bytes(),
        &part.to_be_bytes(),
        &parts.to_be_bytes(),
    ]
    .concat()
}

impl Sealed {
    /// Seals edits as one part. `random` must never be used twice.
    ///
    /// # Errors
    /// [`SealingError::Key`].
    pub fn seal(
        whose: (&WorkspaceId, &DeviceId, &UserId),
        (bundle, part, parts): (EditId, u32, u32),
        edits: Vec<SealedEdit>,
        key: &[u8],
        random: [u8; sealing::KEY_BYTES],
    ) -> Result<Sealed, SealingError> {
        let count = u32::try_from(edits.len()).unwrap_or(u32::MAX);
        // Encoding into memory can't fail; an empty text would be noticed at the other end.
        let text = minicbor::to_vec(Text { edits }).unwrap_or_default();
        let text = zstd::bulk::compress(&text, super::COMPRESS_LEVEL).unwrap_or_default();
        let bytes = sealing::seal(key, &bound(whose, bundle, part, parts), &text, random)?;
        Ok(Sealed { bundle, part, parts, key: key.to_vec(), bytes, edits: count, origin: None })
    }

    /// The edits in it.
    ///
    /// # Errors
    /// What can't be opened or read, for a person.
    pub fn open(
        &self,
        whose: (&WorkspaceId, &DeviceId, &UserId),
        key: &OpeningKey,
        inflated_bytes_max: usize,
    ) -> Result<Vec<SealedEdit>, String> {
        let bound = bound(whose, self.bundle, self.part, self.parts);
        let text = key.open(&bound, &self.bytes).map_err(|error| error.to_string())?;
        let text = decompress(&text, inflated_bytes_max).map_err(|error| error.to_string())?;
        minicbor::decode::<Text>(&text)
            .map(|text| text.edits)
            .map_err(|error| WireError::Malformed(error.to_string()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
    }
    fn whose() -> (WorkspaceId, DeviceId, UserId) {
        (
            WorkspaceId::from_bytes([1; 16]),
            DeviceId::from_bytes([2; 16]),
            UserId::from_bytes([3; 16]),
        )
    }

    #[test]
    fn a_lease_travels_as_a_code_and_holds_for_its_device_alone() {
        let (workspace, device, _) = whose();
        let pair = pair();
        let sign = |lease: &Lease| {
            let text = lease_text(&workspace, &device, lease.issued_at, lease.until);
            pair.sign(&text).as_ref().to_vec()
        };
        for until in [Some(1_790_000_000_500), None] {
            let lease = Lease { issued_at: 1_780_000_000_999, until, signature: Vec::new() };
            let code = lease.to_code(sign);
            assert_eq!(code.split('-').count(), 30, "{code}");
            let read = Lease::from_code(&code.to_lowercase().replace('-', " ")).unwrap();
            assert_eq!(read.issued_at, lease.issued_at);
            assert_eq!(read.until, until.map(|_| 1_790_000_001_000));
            let key = pair.public_key().as_ref();
            assert!(read.holds(&workspace, &device, key));
            assert!(!read.holds(&workspace, &DeviceId::from_bytes([9; 16]), key));
            assert!(!Lease { issued_at: 1, ..read.clone() }.holds(&workspace, &device, key));
            assert!(!Lease { until: Some(2), ..read }.holds(&workspace, &device, key));
            for broken in
                [&code[..code.len() - 1], &format!("{code}0"), "", "U", &code.replace('0', "!")]
            {
                let held =
                    Lease::from_code(broken).is_some_and(|l| l.holds(&workspace, &device, key));
                assert!(!held || broken == code.replace('0', "!"), "{broken}");
            }
        }
    }

    #[test]
    fn an_order_and_a_sealing_key_hold_only_as_they_were_signed() {
        let (workspace, device, _) = whose();
        let pair = pair();
        let public = pair.public_key().as_ref();
        let key = OpeningKey::derive(&[7; 32]).public().to_vec();
        let signature = pair.sign(&wipe_text(&workspace, &device, 42, &key)).as_ref().to_vec();
        let order = WipeOrder { revoked_at: 42, sealing_key: key.clone(), signature };
        assert!(order.holds(&workspace, &device, public));
        assert!(!order.holds(&workspace, &DeviceId::from_bytes([9; 16]), public));
        assert!(!WipeOrder { revoked_at: 43, ..order.clone() }.holds(&workspace, &device, public));
        assert!(
            !WipeOrder { sealing_key: vec![9; 32], ..order }.holds(&workspace, &device, public)
        );
        let signature = pair.sign(&sealing_text(&workspace, &key)).as_ref().to_vec();
        let sealing = SealingKey { key, signature };
        assert!(sealing.holds(&workspace, public));
        assert!(!sealing.holds(&WorkspaceId::from_bytes([9; 16]), public));
        assert!(!SealingKey { key: vec![9; 32], ..sealing }.holds(&workspace, public));
    }

    #[test]
    fn a_part_opens_for_the_device_and_the_place_it_was_sealed_for() {
        let (workspace, device, user) = whose();
        let key = OpeningKey::derive(&[7; 32]);
        let edit = SealedEdit {
            contact: ContactId::from_bytes([4; 16]),
            hash: Some(ChangeHash([5; 32])),
            bytes: vec![1, 2, 3],
            actor: Some(Actor::from_bytes([6; 16])),
            edit: Some(EditId::from_bytes([7; 16])),
            commands: r#"[{"set":{"field":"city"}}]"#.into(),
            label: "set".into(),
            at: 77,
            code: String::new(),
            reason: String::new(),
        };
        let bare = SealedEdit { hash: None, bytes: Vec::new(), actor: None, ..edit.clone() };
        let edits = vec![edit, bare];
        let bundle = EditId::from_bytes([8; 16]);
        let here = (&workspace, &device, &user);
        let sealed =
            Sealed::seal(here, (bundle, 1, 3), edits.clone(), &key.public(), [9; 32]).unwrap();
        assert_eq!(sealed.edits, 2);
        assert_eq!(sealed.open(here, &key, 1 << 20).unwrap(), edits);
        let other = UserId::from_bytes([0; 16]);
        assert!(sealed.open((&workspace, &device, &other), &key, 1 << 20).is_err());
        assert!(Sealed { part: 2, ..sealed.clone() }.open(here, &key, 1 << 20).is_err());
        assert!(sealed.open(here, &key, 10).is_err(), "it is bounded before it is inflated");
    }
}
