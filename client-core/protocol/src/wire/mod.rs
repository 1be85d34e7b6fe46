//! Frames: what travels between a device and a server, and how it is encoded.
//!
//! One binary websocket message is one frame. Its first byte tells the packing: `0` plain, `1` zstd.
//! What follows (after decompression) is a CBOR array of two: the frame's type number, and its body,
//! a map with numbered fields. A reader skips fields it doesn't know and hands on a frame type it
//! doesn't know as [`Frame::Unknown`], so either end may be the newer one. `docs/protocol.md` lists
//! every number.
//!
//! Decoding is bounded: the size before and after decompression by [`Limits`], the memory by the
//! size of what was decompressed (every element of a list costs at least one byte of it).

mod certificate;
mod codec;
mod copies;
mod down;
mod drops;
mod erasures;
mod evidence;
mod frames;
mod handshake;
mod lists;
mod proposals;
mod up;
mod wipe;

pub use certificate::*;
pub use copies::*;
pub use down::*;
pub use drops::*;
pub use erasures::*;
pub use evidence::*;
pub use frames::Frame;
pub use handshake::*;
pub use lists::*;
pub use proposals::*;
pub use up::*;
pub use wipe::*;

use minicbor::{Decoder, Encoder};

use crate::ids::{DeviceId, WorkspaceId};
use crate::limits::Limits;

/// The protocol version of this code. A peer of another version is met by the lower of the two.
pub const PROTOCOL: u16 = 1;
/// The oldest version whose frames this code still decodes; never raised (rule 22).
pub const PROTOCOL_OLDEST: u16 = 1;

/// Below this a frame is sent plain: zstd's header would eat the gain.
const COMPRESS_BYTES_MIN: usize = 200;
/// Fast on a phone; level 3 was 5-8 % smaller than 1 on batches of changes.
const COMPRESS_LEVEL: i32 = 3;

/// The first of the types that servers send.
const FROM_SERVERS: u16 = 64;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Why a message is not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message is larger than the limit.
    #[error("the message has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size, or its claimed size after decompression.
        bytes: u64,
        /// The limit that applies.
        limit: usize,
    },
    /// The first byte names no packing of this version.
    #[error("the packing {0} is not known; 0 (plain) and 1 (zstd) are")]
    Packing(u8),
    /// The zstd block is broken or does not state its size.
    #[error("the compressed block can't be read: {0}")]
    Compression(String),
    /// A frame that only servers send came from a device. Its body was not looked at.
    #[error("a frame of type {0} is sent by servers only")]
    Direction(u16),
    /// The CBOR inside is broken or lacks a required field.
    #[error("the frame can't be read: {0}")]
    Malformed(String),
}

/// Encodes a frame as one binary message, compressed where that pays.
pub fn encode(frame: &Frame) -> Vec<u8> {
    let plain = encode_plain(frame);
    if plain.len() < COMPRESS_BYTES_MIN {
        return plain;
    }
    match zstd::bulk::compress(&plain[1..], COMPRESS_LEVEL) {
        Ok(block) if block.len() + 1 < plain.len() => {
            let mut message = Vec::with_capacity(block.len() + 1);
            message.push(ZSTD);
            message.extend_from_slice(&block);
            message
        }
        _ => plain,
    }
}

fn encode_plain(frame: &Frame) -> Vec<u8> {
    let mut plain = vec![PLAIN];
    frame.encode_into(&mut Encoder::new(&mut plain));
    plain
}

/// The bytes of a message without its packing: what a capture that looks for plain text must see.
///
/// # Errors
/// As [`decode`].
pub fn plain(message: &[u8], limits: &Limits) -> Result<Vec<u8>, WireError> {
    match message.split_first() {
        Some((&PLAIN, rest)) => Ok(rest.to_vec()),
        Some((&ZSTD, rest)) => decompress(rest, limits.message_inflated_bytes_max),
        Some((&other, _)) => Err(WireError::Packing(other)),
        None => Err(WireError::Malformed("an empty message".into())),
    }
}

/// Decodes one binary message.
///
/// # Errors
/// [`WireError`] where the message is too large (before or after decompression) or broken. A frame
/// of an unknown type is no error: it is [`Frame::Unknown`].
pub fn decode(message: &[u8], limits: &Limits) -> Result<Frame, WireError> {
    decode_below(message, limits, u16::MAX)
}

/// Decodes one binary message that a device sent. A frame that only servers send is refused before
/// its body is decoded: some of those take many times their size in memory.
///
/// # Errors
/// As [`decode`], and [`WireError::Direction`].
pub fn decode_from_device(message: &[u8], limits: &Limits) -> Result<Frame, WireError> {
    decode_below(message, limits, FROM_SERVERS)
}

/// How many bytes a message has once it is decompressed, as it says itself: [`decode`] takes no
/// more. Reads a few bytes only.
pub fn inflated_bytes(message: &[u8]) -> u64 {
    let claimed = match message.split_first() {
        Some((&ZSTD, rest)) => zstd::zstd_safe::get_frame_content_size(rest).ok().flatten(),
        _ => None,
    };
    claimed.unwrap_or(message.len() as u64)
}

fn decode_below(message: &[u8], limits: &Limits, end: u16) -> Result<Frame, WireError> {
    if message.len() > limits.message_bytes_max {
        return Err(WireError::TooLarge {
            bytes: message.len() as u64,
            limit: limits.message_bytes_max,
        });
    }
    let (packing, rest) =
        message.split_first().ok_or_else(|| WireError::Malformed("an empty message".into()))?;
    match *packing {
        PLAIN if rest.len() > limits.message_inflated_bytes_max => Err(WireError::TooLarge {
            bytes: rest.len() as u64,
            limit: limits.message_inflated_bytes_max,
        }),
        PLAIN => decode_plain(rest, end),
        ZSTD => decode_plain(&decompress(rest, limits.message_inflated_bytes_max)?, end),
        other => Err(WireError::Packing(other)),
    }
}

fn decompress(block: &[u8], inflated_bytes_max: usize) -> Result<Vec<u8>, WireError> {
    let claimed = match zstd::zstd_safe::get_frame_content_size(block) {
        Ok(Some(size)) => size,
        Ok(None) => return Err(WireError::Compression("it does not state its size".into())),
        Err(_) => return Err(WireError::Compression("it is not a zstd frame".into())),
    };
    if claimed > inflated_bytes_max as u64 {
        return Err(WireError::TooLarge { bytes: claimed, limit: inflated_bytes_max });
    }
    // `bulk` decodes straight into the output, so neither a window nor more than `claimed` is
    // allocated, and a second frame behind the first makes it fail.
    zstd::bulk::decompress(block, claimed as usize)
        .map_err(|error| WireError::Compression(error.to_string()))
}

/// Decodes a frame of a type below `end`, or of one that nobody knows.
fn decode_plain(bytes: &[u8], end: u16) -> Result<Frame, WireError> {
    let malformed = |error: minicbor::decode::Error| WireError::Malformed(error.to_string());
    let mut decoder = Decoder::new(bytes);
    match decoder.array().map_err(malformed)? {
        Some(2) => {}
        _ => return Err(WireError::Malformed("expected an array of two".into())),
    }
    let kind = decoder.u16().map_err(malformed)?;
    if kind >= end && Frame::is_known(kind) {
        return Err(WireError::Direction(kind));
    }
    Frame::decode_body(kind, &mut decoder).map_err(malformed)
}

/// What a device signs to prove its key: bound to the workspace, the device and the nonce, so that a
/// signature is good for one connection to one server only.
pub fn challenge_text(workspace: &WorkspaceId, device: &DeviceId, nonce: &[u8]) -> Vec<u8> {
    [b"roadbook challenge 1\0", workspace.as_bytes().as_slice(), device.as_bytes(), nonce].concat()
}

/// What a device signs when it enrols: bound to the code, so that nobody can enrol another's key.
pub fn enrolment_text(code: &str, public_key: &[u8]) -> Vec<u8> {
    [b"roadbook enrolment 1\0", normalise_code(code).as_bytes(), b"\0", public_key].concat()
}

/// What the workspace's key signs of a directory.
pub fn directory_text(workspace: &WorkspaceId, directory: &Directory) -> Vec<u8> {
    let unsigned = Directory { signature: Vec::new(), custom_fields: None, ..directory.clone() };
    let mut text = [b"roadbook directory 1\0", workspace.as_bytes().as_slice()].concat();
    text.extend(encode_plain(&Frame::Directory(unsigned)));
    text
}

/// An enrolment code as it is compared: letters and digits only, upper case, so that dashes, spaces
/// and case don't matter; `O` reads as `0`, `I` and `L` as `1` (Crockford's base 32).
pub fn normalise_code(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

/// Verifies a device's signature.
pub fn verify(algorithm: KeyAlgorithm, public_key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
    match algorithm {
        KeyAlgorithm::Ed25519 => {
            UnparsedPublicKey::new(&ED25519, public_key).verify(text, signature)
        }
        KeyAlgorithm::EcdsaP256 => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key).verify(text, signature)
        }
    }
    .is_ok()
}

#[cfg(test)]
mod tests;
