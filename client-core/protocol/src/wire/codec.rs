//! How hashes and blobs are written: as CBOR byte strings, not as lists of numbers.

/// One 32-byte change hash.
pub mod hash {
    use automerge::ChangeHash;
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        hash: &ChangeHash,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(hash.as_ref())?.ok()
    }

    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<ChangeHash, DecodeError> {
        ChangeHash::try_from(d.bytes()?).map_err(|_| DecodeError::message("a hash is 32 bytes"))
    }
}

/// A hash that may be absent: an empty byte string.
pub mod maybe_hash {
    use automerge::ChangeHash;
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        hash: &Option<ChangeHash>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(hash.as_ref().map_or(&[], |hash| hash.as_ref()))?.ok()
    }

    pub fn decode<'b, C>(
        d: &mut Decoder<'b>,
        _: &mut C,
    ) -> Result<Option<ChangeHash>, DecodeError> {
        match d.bytes()? {
            [] => Ok(None),
            bytes => ChangeHash::try_from(bytes)
                .map(Some)
                .map_err(|_| DecodeError::message("a hash is 32 bytes")),
        }
    }
}

/// A list of hashes, one byte string of 32 bytes each, back to back.
pub mod hashes {
    use automerge::ChangeHash;
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        hashes: &[ChangeHash],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let mut bytes = Vec::with_capacity(hashes.len() * 32);
        for hash in hashes {
            bytes.extend_from_slice(hash.as_ref());
        }
        e.bytes(&bytes)?.ok()
    }

    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<ChangeHash>, DecodeError> {
        let (chunks, rest) = d.bytes()?.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(DecodeError::message("hashes are 32 bytes each"));
        }
        Ok(chunks.iter().map(|chunk| ChangeHash(*chunk)).collect())
    }
}

/// A list of ids of 16 bytes, back to back in one byte string.
pub mod ids {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    use crate::ids::{Actor, ContactId};

    /// What can be packed as 16 bytes.
    pub trait Packed: Copy {
        fn pack(&self) -> [u8; 16];
        fn unpack(bytes: [u8; 16]) -> Self;
    }
    macro_rules! packed {
        ($($name:ident),*) => {$(
            impl Packed for $name {
                fn pack(&self) -> [u8; 16] { *self.as_bytes() }
                fn unpack(bytes: [u8; 16]) -> Self { $name::from_bytes(bytes) }
            }
        )*};
    }
    packed!(Actor, ContactId);

    pub fn encode<C, T: Packed, W: Write>(
        ids: &[T],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let bytes: Vec<u8> = ids.iter().flat_map(Packed::pack).collect();
        e.bytes(&bytes)?.ok()
    }

    pub fn decode<'b, C, T: Packed>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<T>, DecodeError> {
        let (chunks, rest) = d.bytes()?.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(DecodeError::message("ids are 16 bytes each"));
        }
        Ok(chunks.iter().map(|chunk| T::unpack(*chunk)).collect())
    }
}

/// A short list of short words. Counted while it is read: an empty word is one byte on the wire and
/// many in memory.
pub mod words {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    /// Words of one list.
    pub const WORDS_MAX: usize = 64;

    pub fn encode<C, W: Write>(
        words: &[String],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(words.len() as u64)?;
        for word in words {
            e.str(word)?;
        }
        Ok(())
    }

    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<String>, DecodeError> {
        let mut words = Vec::new();
        for word in d.array_iter::<&str>()? {
            if words.len() == WORDS_MAX {
                return Err(DecodeError::message("more than 64 words in a list"));
            }
            words.push(word?.to_owned());
        }
        Ok(words)
    }
}

/// A list of byte strings. Counted while it is read, as [`words`] are.
pub mod blobs {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    /// Byte strings of one list: far more than the changes of a contact.
    pub const BLOBS_MAX: usize = 65_536;

    pub fn encode<C, W: Write>(
        blobs: &[Vec<u8>],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(blobs.len() as u64)?;
        for blob in blobs {
            e.bytes(blob)?;
        }
        Ok(())
    }

    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<Vec<u8>>, DecodeError> {
        let mut blobs = Vec::new();
        for blob in d.array_iter::<&minicbor::bytes::ByteSlice>()? {
            if blobs.len() == BLOBS_MAX {
                return Err(DecodeError::message("more than 65536 byte strings in a list"));
            }
            blobs.push(blob?.to_vec());
        }
        Ok(blobs)
    }
}
