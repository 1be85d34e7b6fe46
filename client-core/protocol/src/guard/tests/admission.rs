use super::super::mutate::{Parts, Rng};
use super::*;

fn code(bytes: &[u8]) -> &'static str {
    match gate1(bytes, &LIMITS, &[]) {
        Ok(_) => "admitted",
        Err(error) => error.code(),
    }
}

fn small() -> (Automerge, Vec<u8>) {
    let (doc, _) = contact();
    edit(&doc, actor(2), |tx| tx.put(ROOT, "family_name", "Sørensen"))
}

fn altered(work: impl FnOnce(&mut Parts)) -> &'static str {
    let mut parts = Parts::parse(&small().1).unwrap();
    work(&mut parts);
    code(&parts.change())
}

#[test]
fn honest_changes_pass_with_the_facts_that_automerge_reads_from_them() {
    let mut rng = Rng::new(7);
    let (mut doc, first) = contact();
    let mut changes = vec![first];
    for round in 0..200 {
        let (next, bytes) = any_edit(&doc, actor(1 + round % 4), &mut rng);
        doc = next;
        changes.push(bytes);
    }
    for bytes in changes {
        let admitted = gate1(&bytes, &LIMITS, &[]).unwrap();
        let change = Change::from_bytes(bytes).unwrap();
        assert_eq!(admitted.hash, change.hash());
        assert_eq!(admitted.actor.as_bytes(), change.actor_id().to_bytes());
        assert_eq!((admitted.seq, admitted.start_op), (change.seq(), change.start_op().get()));
        assert_eq!((admitted.ops, admitted.max_op), (change.len() as u64, change.max_op()));
        assert_eq!(admitted.deps, change.deps());
        assert_eq!(admitted.message.unwrap().by, user());
        assert!(!admitted.bootstrap);
    }
}

#[test]
fn changes_reconstructed_from_a_saved_document_pass_too() {
    let mut rng = Rng::new(8);
    let (mut doc, _) = contact();
    for round in 0..60 {
        doc = any_edit(&doc, actor(1 + round % 3), &mut rng).0;
    }
    let loaded = Automerge::load(&doc.save()).unwrap();
    for change in loaded.get_changes(&[]) {
        assert_eq!(gate1(change.raw_bytes(), &LIMITS, &[]).unwrap().hash, change.hash());
    }
}

#[test]
fn taking_a_change_apart_and_putting_it_together_changes_nothing() {
    let (_, bytes) = small();
    assert_eq!(Parts::parse(&bytes).unwrap().change(), bytes);
    assert_eq!(altered(|_| {}), "admitted");
}

#[test]
fn the_envelope_is_checked_to_the_byte() {
    let (_, bytes) = small();
    let mut wrong = bytes.clone();
    wrong[0] ^= 1;
    assert_eq!(code(&wrong), "magic");
    let mut wrong = bytes.clone();
    wrong[5] ^= 1;
    assert_eq!(code(&wrong), "checksum");
    let mut wrong = bytes.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(code(&wrong), "checksum");
    let mut wrong = bytes.clone();
    wrong.push(0);
    assert_eq!(code(&wrong), "trailing_bytes");
    assert_eq!(code(&[bytes.clone(), bytes.clone()].concat()), "trailing_bytes");
    for length in 0..bytes.len() {
        assert_eq!(code(&bytes[..length]), "malformed", "cut to {length}");
    }
    assert_eq!(code(&vec![0; LIMITS.change_bytes_max + 1]), "too_large");
}

#[test]
fn only_plain_change_chunks_are_taken() {
    let (doc, bytes) = small();
    assert_eq!(code(&doc.save()), "chunk_type");
    assert_eq!(code(&doc.save_nocompress()), "chunk_type");
    assert_eq!(code(doc.bundle(hashes(&doc)).unwrap().bytes()), "chunk_type");
    let (_, large) = edit(&doc, actor(3), |tx| tx.put(ROOT, "a", "long ".repeat(200)));
    let mut change = Change::from_bytes(large).unwrap();
    assert_eq!(code(&change.bytes()), "chunk_type");
    for chunk_type in [0, 2, 3, 4, 255] {
        let body = Parts::parse(&bytes).unwrap().body();
        assert_eq!(code(&super::super::mutate::chunk(chunk_type, &body)), "chunk_type");
    }
}

#[test]
fn every_field_of_the_header_is_bounded() {
    assert_eq!(altered(|parts| parts.actor = vec![1; 15]), "actor_length");
    assert_eq!(altered(|parts| parts.actor = vec![1; 17]), "actor_length");
    assert_eq!(altered(|parts| parts.seq = 0), "malformed");
    assert_eq!(altered(|parts| parts.seq = LIMITS.document_changes_max + 1), "sequence_too_high");
    assert_eq!(altered(|parts| parts.start_op = 0), "malformed");
    assert_eq!(altered(|parts| parts.start_op = LIMITS.op_counter_max + 1), "counter_too_high");
    assert_eq!(altered(|parts| parts.time = i64::MIN), "malformed");
    assert_eq!(altered(|parts| parts.deps = vec![parts.deps[0]; 2]), "duplicate_dependency");
    assert_eq!(
        altered(|parts| parts.deps = (0..65).map(|n| [n; 32]).collect()),
        "too_many_dependencies"
    );
    assert_eq!(altered(|parts| parts.deps = (0..64).map(|n| [n; 32]).collect()), "admitted");
    assert_eq!(altered(|parts| parts.message = vec![b'x'; 4 * 1024 + 1]), "message_too_long");
    assert_eq!(altered(|parts| parts.message = vec![0xff]), "malformed");
    assert_eq!(altered(|parts| parts.message.clear()), "message");
    assert_eq!(altered(|parts| parts.message = b"{\"by\":\"nobody\"}".to_vec()), "message");
    assert_eq!(altered(|parts| parts.others.push(parts.others[0].clone())), "actor_order");
    assert_eq!(altered(|parts| parts.others.push(parts.actor.clone())), "actor_order");
    assert_eq!(altered(|parts| parts.others.push(vec![0xee; 16])), "not_canonical");
    assert_eq!(altered(|parts| parts.others = vec![vec![1; 16]; 300]), "too_many_actors");
    assert_eq!(altered(|parts| parts.others.clear()), "malformed");
    // 257 predecessors of the first operation.
    assert_eq!(
        altered(|parts| *parts.column(0x70) = vec![0x7f, 0x81, 0x02]),
        "too_many_predecessors"
    );
    assert_eq!(altered(|parts| parts.extra = vec![1]), "trailing_bytes");
}

#[test]
fn a_message_may_carry_more_than_this_version_knows() {
    let text = message("set").replace("\"at\"", "\"mood\":{\"of\":[1,2]},\"at\"");
    assert_eq!(altered(|parts| parts.message = text.into_bytes()), "admitted");
}

#[test]
fn columns_are_known_uncompressed_in_order_and_not_empty() {
    assert_eq!(altered(|parts| parts.columns[0].0 |= 8), "column");
    assert_eq!(altered(|parts| parts.columns.swap(0, 1)), "column");
    assert_eq!(altered(|parts| parts.columns.insert(0, parts.columns[0].clone())), "column");
    assert_eq!(altered(|parts| parts.columns.push((0xa5, vec![0x7f, 1, b'b']))), "column");
    assert_eq!(altered(|parts| parts.columns.push((0x94, vec![0, 1]))), "column");
    assert_eq!(altered(|parts| parts.columns.push((0xb2, vec![1]))), "column");
    assert_eq!(altered(|parts| parts.column(0x01).clear()), "column");
}

#[test]
fn run_lengths_are_bounded_without_being_expanded() {
    let blow_up = |spec: u64, value: &[u8]| {
        altered(|parts| {
            let mut run = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
            run.extend_from_slice(value);
            *parts.column(spec) = run;
        })
    };
    for (spec, value) in [
        (0x01, &[1][..]),
        (0x02, &[1]),
        (0x11, &[1]),
        (0x13, &[1]),
        (0x15, &[1, b'k']),
        (0x34, &[]),
        (0x42, &[1]),
        (0x56, &[0]),
        (0x70, &[0]),
        (0x71, &[0]),
        (0x73, &[1]),
    ] {
        assert_ne!(blow_up(spec, value), "admitted", "column {spec:#x}");
    }
}

#[test]
fn other_encodings_of_the_same_content_are_refused() {
    // One row as a run of one instead of a literal of one.
    assert_eq!(altered(|parts| *parts.column(0x42) = vec![1, 1]), "not_canonical");
    // An overlong zero.
    assert_eq!(altered(|parts| *parts.column(0x70) = vec![0x7f, 0x81, 0x00]), "not_canonical");
    // A column of nulls, which is left out.
    assert_eq!(altered(|parts| *parts.column(0x01) = vec![0, 1]), "not_canonical");
}

#[test]
fn operations_that_a_contact_does_not_use_are_refused() {
    let (doc, _) = contact();
    let (_, list) = edit(&doc, actor(2), |tx| tx.put_object(ROOT, "list", ObjType::List).map(drop));
    assert_eq!(code(&list), "action");
    let (_, marked) = edit(&doc, actor(2), |tx| {
        let (_, note) = tx.get(ROOT, "note")?.unwrap();
        let mark = automerge::marks::Mark::new("bold".to_owned(), true, 0, 2);
        tx.mark(&note, mark, automerge::marks::ExpandMark::Both)
    });
    assert_eq!(code(&marked), "column");
    for action in [2, 6, 7, 8, 1000] {
        let mut run = vec![0x7f];
        super::super::mutate::put_unsigned(&mut run, action);
        assert_eq!(altered(|parts| *parts.column(0x42) = run), "action");
    }
}

#[test]
fn values_fit_their_type_and_range() {
    let (doc, _) = contact();
    for (value, expected) in [
        (ScalarValue::F64(f64::NAN), "value"),
        (ScalarValue::F64(f64::INFINITY), "value"),
        (ScalarValue::F64(-0.5), "admitted"),
        (ScalarValue::counter(i64::MAX), "value"),
        (ScalarValue::Int(i64::MIN), "admitted"),
        (ScalarValue::Uint(u64::MAX), "admitted"),
        (ScalarValue::Bytes(vec![1, 2, 3]), "admitted"),
        (ScalarValue::Unknown { type_code: 12, bytes: vec![1] }, "value"),
        (ScalarValue::Str("x".repeat(LIMITS.string_bytes_max).into()), "admitted"),
        (ScalarValue::Str("x".repeat(LIMITS.string_bytes_max + 1).into()), "string_too_long"),
        (ScalarValue::Bytes(vec![1; LIMITS.string_bytes_max + 1]), "string_too_long"),
    ] {
        let (_, bytes) = edit(&doc, actor(2), |tx| tx.put(ROOT, "field", value.clone()));
        assert_eq!(code(&bytes), expected, "{value:?}");
    }
    let (_, bytes) = edit(&doc, actor(2), |tx| tx.increment(ROOT, "visits", i64::MAX));
    assert_eq!(code(&bytes), "value");
    let (_, bytes) =
        edit(&doc, actor(2), |tx| tx.put(ROOT, "k".repeat(LIMITS.string_bytes_max + 1), 1));
    assert_eq!(code(&bytes), "string_too_long");
}

#[test]
fn bootstrap_changes_are_taken_byte_for_byte_and_their_actor_is_reserved() {
    let mut doc = Automerge::new().with_actor(actor(0xb0).into());
    let mut tx = doc.transaction();
    tx.put_object(ROOT, "surveys", ObjType::Map).unwrap();
    tx.commit_with(CommitOptions::default().with_time(0));
    let change = doc.get_changes(&[]).pop().unwrap();
    let known: [(ChangeHash, &[u8]); 1] = [(change.hash(), change.raw_bytes())];
    let admitted = gate1(change.raw_bytes(), &LIMITS, &known).unwrap();
    assert!(admitted.bootstrap && admitted.message.is_none());
    assert_eq!(admitted.check_sender(|_| false, &user()), Ok(()));
    assert_eq!(code(change.raw_bytes()), "message");

    let (_, forged) = edit(&Automerge::new(), actor(0xb0), |tx| tx.put(ROOT, "surveys", 1));
    assert_eq!(gate1(&forged, &LIMITS, &known).unwrap_err().code(), "bootstrap");
}

#[test]
fn the_sender_must_own_the_actor_and_be_the_author() {
    let admitted = gate1(&small().1, &LIMITS, &[]).unwrap();
    assert_eq!(admitted.check_sender(|of| *of == actor(2), &user()), Ok(()));
    let foreign = admitted.check_sender(|_| false, &user()).unwrap_err();
    assert_eq!(foreign.code(), "actor_mismatch");
    let other = UserId::from_bytes([9; 16]);
    assert_eq!(admitted.check_sender(|_| true, &other).unwrap_err().code(), "author_mismatch");
}
