use super::super::mutate::{Rng, chunk};
use super::super::{MergeError, load_snapshot};
use super::*;

fn grown(seed: u64) -> Automerge {
    let mut rng = Rng::new(seed);
    let (mut doc, _) = contact();
    for round in 0..80 {
        doc = any_edit(&doc, actor(1 + (round % 5) as u8), &mut rng).0;
    }
    doc
}

fn code(bytes: &[u8], limits: &Limits) -> &'static str {
    match load_snapshot(bytes, limits) {
        Ok(_) => "loaded",
        Err(MergeError::Refused(error)) => error.code(),
        Err(_) => "unloadable",
    }
}

#[test]
fn a_saved_document_loads_with_the_same_heads_and_content() {
    for seed in 0..10 {
        let doc = grown(seed);
        let loaded = load_snapshot(&doc.save_nocompress(), &LIMITS).unwrap();
        assert_eq!(loaded.get_heads(), doc.get_heads());
        assert!(content(&loaded) == content(&doc));
        // Also what has been loaded and grown again.
        let (again, _) = any_edit(&loaded, actor(9), &mut Rng::new(seed));
        assert_eq!(code(&again.save_nocompress(), &LIMITS), "loaded");
    }
}

#[test]
fn compressed_cut_and_lengthened_snapshots_are_refused() {
    let doc = grown(1);
    assert_eq!(code(&doc.save(), &LIMITS), "column");
    let bytes = doc.save_nocompress();
    assert_eq!(code(&bytes[..bytes.len() - 1], &LIMITS), "malformed");
    let (_, change) = any_edit(&doc, actor(2), &mut Rng::new(3));
    assert_eq!(code(&[bytes.clone(), change.clone()].concat(), &LIMITS), "trailing_bytes");
    assert_eq!(code(&change, &LIMITS), "chunk_type");
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    assert_eq!(code(&damaged, &LIMITS), "checksum");
    assert_eq!(code(&[], &LIMITS), "malformed");
}

#[test]
fn the_limits_of_a_document_hold_for_snapshots() {
    let bytes = grown(2).save_nocompress();
    assert_eq!(
        code(&bytes, &Limits { document_bytes_max: bytes.len() - 1, ..LIMITS }),
        "document_bytes"
    );
    assert_eq!(code(&bytes, &Limits { document_ops_max: 50, ..LIMITS }), "document_operations");
    assert_eq!(code(&bytes, &Limits { document_changes_max: 50, ..LIMITS }), "document_changes");
    assert_eq!(code(&bytes, &Limits { op_counter_max: 50, ..LIMITS }), "malformed");
    assert_eq!(code(&bytes, &Limits { depth_max: 1, ..LIMITS }), "too_deep");
}

#[test]
fn damaged_snapshots_with_good_checksums_never_panic() {
    quiet();
    let bytes = grown(3).save_nocompress();
    let body_at = bytes.len() - {
        let mut reader = super::super::reader::Reader::new(&bytes);
        reader.take(9).unwrap();
        reader.unsigned().unwrap();
        reader.remaining()
    };
    let mut rng = Rng::new(11);
    let mut loaded = 0;
    for _ in 0..3_000 {
        let mut body = bytes[body_at..].to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(body.len());
            body[at] = body[at].wrapping_add(1 + rng.below(255) as u8);
        }
        if let Ok(doc) = load_snapshot(&chunk(0, &body), &LIMITS) {
            loaded += 1;
            assert!(Automerge::load(&doc.save_nocompress()).is_ok());
        }
    }
    assert!(loaded < 3_000);
}
