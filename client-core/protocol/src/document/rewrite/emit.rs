//! Writes become changes of the fresh document.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjId, ObjType, ReadDoc, ScalarValue};

use super::{Origin, Place, RewriteError, What, Write};

/// Operations of one change of the fresh document.
const CHANGE_OPS: usize = 400;
/// Bytes of values of one change; a value has 16 KiB at most.
const CHANGE_BYTES: usize = 24 * 1024;

/// Characters at the end of a text.
pub(super) fn characters(target: usize, text: String, place: Place) -> Write {
    Write { target, key: String::new(), what: What::Characters(text), place }
}

/// Makes changes of writes that have one origin: one, unless it would be too large.
pub(super) fn emit(
    doc: &mut Automerge,
    objects: &mut [Option<ObjId>],
    origin: &Origin,
    writes: &[Write],
) -> Result<(), RewriteError> {
    let mut pieces: Vec<Write> = Vec::new();
    for write in writes {
        match &write.what {
            What::Characters(text) => {
                let all: Vec<char> = text.chars().collect();
                pieces
                    .extend(all.chunks(CHANGE_OPS).map(|chunk| {
                        characters(write.target, chunk.iter().collect(), write.place)
                    }));
            }
            _ => pieces.push(write.clone()),
        }
    }
    let size = |write: &Write| match &write.what {
        What::Characters(text) => (text.chars().count(), text.len()),
        What::Scalar(ScalarValue::Str(text)) => (1, text.len() + write.key.len()),
        What::Scalar(ScalarValue::Bytes(bytes)) => (1, bytes.len() + write.key.len()),
        _ => (1, write.key.len()),
    };
    let message = origin.message().to_text();
    let mut rest = pieces.as_slice();
    while !rest.is_empty() {
        let (mut ops, mut bytes) = (0, 0);
        let fits = rest.iter().take_while(|write| {
            let (more_ops, more_bytes) = size(write);
            ops += more_ops;
            bytes += more_bytes;
            ops <= CHANGE_OPS && bytes <= CHANGE_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        let mut tx = doc.transaction();
        for write in now {
            let target = objects[write.target].clone().ok_or_else(|| {
                RewriteError::Unsupported { reason: "it is written before it is made".to_owned() }
            })?;
            match &write.what {
                What::Scalar(value) => tx.put(target, write.key.as_str(), value.clone())?,
                What::Map(new) => {
                    let id = tx.put_object(target, write.key.as_str(), ObjType::Map)?;
                    objects[*new] = Some(id);
                }
                What::Text(new) => {
                    let id = tx.put_object(target, write.key.as_str(), ObjType::Text)?;
                    objects[*new] = Some(id);
                }
                What::Characters(text) => {
                    let end = tx.length(&target);
                    tx.splice_text(&target, end, 0, text)?;
                }
            }
        }
        tx.commit_with(CommitOptions::default().with_message(message.clone()).with_time(0));
        rest = later;
    }
    Ok(())
}
