//! One test for each way to hurt automerge that was measured on 0.12.0.

use super::super::mutate::{Parts, chunk, put_signed, put_unsigned};
use super::super::{GateError, load_snapshot};
use super::*;

fn refusal(bytes: &[u8]) -> String {
    quiet();
    both_gates(&contact().0, bytes).map(|_| ()).unwrap_err()
}

fn edit_parts() -> Parts {
    let (doc, _) = contact();
    Parts::parse(&edit(&doc, actor(2), |tx| tx.put(ROOT, "family_name", "Sørensen")).1).unwrap()
}

/// As many bytes as a change may have, which inflate to ten million.
fn deflate_bomb() -> Vec<u8> {
    zip_zeros(10_000_000)
}

/// A fixed-Huffman deflate block: one zero byte and then copies of length 258 from distance 1.
fn zip_zeros(bytes: usize) -> Vec<u8> {
    struct Bits(Vec<u8>, u32);
    impl Bits {
        fn push(&mut self, value: u32, count: u32, high_first: bool) {
            for bit in 0..count {
                let shift = if high_first { count - 1 - bit } else { bit };
                if self.1 == 0 {
                    self.0.push(0);
                }
                *self.0.last_mut().unwrap() |= ((value >> shift & 1) as u8) << self.1;
                self.1 = (self.1 + 1) % 8;
            }
        }
    }
    let mut bits = Bits(Vec::new(), 0);
    bits.push(1, 1, false);
    bits.push(1, 2, false);
    bits.push(0x30, 8, true);
    for _ in 0..bytes / 258 {
        bits.push(0b1100_0101, 8, true);
        bits.push(0, 5, true);
    }
    bits.push(0, 7, true);
    bits.0
}

#[test]
fn a_compressed_chunk_is_refused_by_its_type_and_never_inflated() {
    let bomb = chunk(2, &deflate_bomb());
    assert!(bomb.len() <= LIMITS.change_bytes_max);
    assert_eq!(refusal(&bomb), "chunk_type");
    assert!(matches!(
        load_snapshot(&bomb, &LIMITS),
        Err(super::super::MergeError::Refused(GateError::ChunkType { found: 2, expected: 0 }))
    ));
}

#[test]
fn a_compressed_column_is_never_inflated() {
    let mut parts = edit_parts();
    *parts.column(0x15) = deflate_bomb();
    parts.columns.iter_mut().for_each(|column| {
        if column.0 == 0x15 {
            column.0 |= 8
        }
    });
    let bytes = parts.change();
    assert!(bytes.len() <= LIMITS.change_bytes_max);
    assert_eq!(refusal(&bytes), "column");
}

#[test]
fn a_run_of_a_billion_operations_is_refused_by_its_count() {
    for rows in [1 << 30, 1 << 62, i64::MAX] {
        let mut parts = edit_parts();
        for (spec, value) in [(0x42, 1), (0x56, 0), (0x70, 0)] {
            let column = parts.column(spec);
            column.clear();
            put_signed(column, rows);
            put_unsigned(column, value);
        }
        let column = parts.column(0x34);
        column.clear();
        put_unsigned(column, rows as u64);
        let column = parts.column(0x15);
        column.clear();
        put_signed(column, rows);
        column.extend([1, b'k']);
        parts.columns.retain(|(spec, _)| matches!(spec, 0x15 | 0x34 | 0x42 | 0x56 | 0x70));
        parts.others.clear();
        assert_eq!(refusal(&parts.change()), "too_many_operations");
    }
}

#[test]
fn a_key_repeated_by_run_length_is_bounded_by_what_it_expands_to() {
    let mut parts = edit_parts();
    let rows = LIMITS.change_ops_max as i64;
    for (spec, value) in [(0x42, 1), (0x56, 0), (0x70, 0)] {
        let column = parts.column(spec);
        column.clear();
        put_signed(column, rows);
        put_unsigned(column, value);
    }
    *parts.column(0x34) = vec![0xd0, 0x0f];
    let column = parts.column(0x15);
    column.clear();
    put_signed(column, rows);
    put_unsigned(column, 10_000);
    column.extend(vec![b'k'; 10_000]);
    parts.columns.retain(|(spec, _)| matches!(spec, 0x15 | 0x34 | 0x42 | 0x56 | 0x70));
    parts.others.clear();
    assert_eq!(refusal(&parts.change()), "inflates_too_large");
}

#[test]
fn two_kilobytes_of_text_operations_do_not_take_hundreds_of_megabytes() {
    let (_, bytes) = edit(&Automerge::new(), actor(2), |tx| {
        let text = tx.put_object(ROOT, "note", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, &"x".repeat(1_000_000))
    });
    let small = Parts::parse(&bytes)
        .map(|parts| parts.columns.iter().filter(|(spec, _)| *spec != 0x57).count());
    assert!(small.is_ok());
    assert!(matches!(refusal(&bytes).as_str(), "too_large" | "too_many_operations"));

    let (_, bytes) = edit(&Automerge::new(), actor(2), |tx| {
        let text = tx.put_object(ROOT, "note", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, &"x".repeat(LIMITS.change_ops_max as usize))
    });
    assert_eq!(refusal(&bytes), "too_many_operations");
}

#[test]
fn five_thousand_nested_maps_are_refused_before_anything_recurses() {
    let nest = |depth: usize| {
        edit(&Automerge::new(), actor(2), |tx| {
            let mut map = ROOT;
            for _ in 0..depth {
                map = tx.put_object(&map, "deeper", ObjType::Map)?;
            }
            Ok(())
        })
    };
    let (doc, bytes) = nest(5_000);
    assert!(matches!(refusal(&bytes).as_str(), "too_many_operations" | "too_large" | "too_deep"));
    assert!(load_snapshot(&doc.save_nocompress(), &LIMITS).is_err());
    let (_, bytes) = nest(1_500);
    assert_eq!(refusal(&bytes), "too_deep");
    let (doc, bytes) = nest(LIMITS.depth_max + 1);
    assert_eq!(refusal(&bytes), "too_deep");
    let error = load_snapshot(&doc.save_nocompress(), &LIMITS).unwrap_err();
    assert!(error.to_string().contains("nested containers"), "{error}");
    let (doc, bytes) = nest(LIMITS.depth_max);
    assert!(both_gates(&Automerge::new(), &bytes).is_ok());
    assert!(load_snapshot(&doc.save_nocompress(), &LIMITS).is_ok());
}

#[test]
fn nesting_is_counted_across_changes() {
    let mut doc = Automerge::new();
    let mut path = ROOT;
    let mut changes = Vec::new();
    for round in 0..=LIMITS.depth_max {
        let (next, bytes) = edit(&doc, actor(2), |tx| {
            path = tx.put_object(&path, "deeper", ObjType::Map)?;
            Ok(())
        });
        let base = doc.clone();
        doc = next;
        changes.push(bytes.clone());
        let one_by_one = both_gates(&base, &bytes).map(|_| "merged").unwrap_or_else(|_| "too_deep");
        assert_eq!(one_by_one, if round < LIMITS.depth_max { "merged" } else { "too_deep" });
    }
    let at_once =
        merge(&Automerge::new(), changes.iter().map(|bytes| incoming(bytes)).collect(), &LIMITS)
            .unwrap();
    assert_eq!(at_once.merged.len(), LIMITS.depth_max);
    assert_eq!(at_once.refused[0].1.code(), "too_deep");
}

#[test]
fn a_start_counter_that_would_make_the_next_local_edit_panic_is_refused() {
    for start_op in
        [u64::from(u32::MAX), u64::from(u32::MAX) - 1, 1 << 32, u64::MAX, LIMITS.op_counter_max + 1]
    {
        let mut parts = edit_parts();
        parts.start_op = start_op;
        assert_eq!(refusal(&parts.change()), "counter_too_high");
    }
    let mut parts = edit_parts();
    parts.start_op = LIMITS.op_counter_max;
    assert_eq!(refusal(&parts.change()), "start_op");
}

#[test]
fn a_start_counter_that_is_not_the_one_after_the_dependencies_is_refused() {
    for by in [1, 2, 1000] {
        let mut parts = edit_parts();
        parts.start_op += by;
        assert_eq!(refusal(&parts.change()), "start_op");
    }
    let mut parts = edit_parts();
    parts.start_op -= 1;
    assert!(matches!(refusal(&parts.change()).as_str(), "start_op" | "reference"));
}

#[test]
fn a_change_under_a_foreign_actor_does_not_get_past_the_sender_check() {
    let admitted = gate1(&edit_parts().change(), &LIMITS, &[]).unwrap();
    let error = admitted.check_sender(|own| *own == actor(3), &user()).unwrap_err();
    assert_eq!(error, GateError::ActorMismatch { actor: actor(2) });
}

#[test]
fn an_actor_and_sequence_used_twice_takes_nothing_else_along() {
    quiet();
    let (doc, _) = contact();
    let (_, first) = edit(&doc, actor(2), |tx| tx.put(ROOT, "family_name", "One"));
    let (_, second) = edit(&doc, actor(2), |tx| tx.put(ROOT, "family_name", "Two"));
    let (_, other) = edit(&doc, actor(3), |tx| tx.put(ROOT, "given_name", "Three"));
    // In one batch: the first is taken.
    let batch = [&first, &second, &other].map(|bytes| incoming(bytes)).to_vec();
    let merged = merge(&doc, batch, &LIMITS).unwrap();
    assert_eq!(merged.merged.len(), 2);
    assert_eq!(
        merged.refused,
        vec![(incoming(&second).hash, GateError::Forked { actor: actor(2), seq: 1 })]
    );
    // In two batches: the one in the document stays.
    let doc = merged.doc;
    let (_, more) = edit(&doc, actor(4), |tx| tx.put(ROOT, "title", "Dr"));
    let merged =
        merge(&doc, [&second, &more].map(|bytes| incoming(bytes)).to_vec(), &LIMITS).unwrap();
    assert_eq!(merged.merged, vec![incoming(&more).hash]);
    assert_eq!(merged.refused[0].1.code(), "forked");
}

#[test]
fn a_sync_message_and_garbage_are_not_chunks() {
    for bytes in
        [&[0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0x43; 15], &[], &[0x85, 0x6f, 0x4a, 0x83]]
    {
        assert!(matches!(refusal(bytes).as_str(), "magic" | "malformed"));
        assert!(load_snapshot(bytes, &LIMITS).is_err());
    }
}

#[test]
fn references_to_what_the_change_does_not_depend_on_are_refused() {
    quiet();
    let (doc, _) = contact();
    // Actor 2 makes an entry; actor 3, who doesn't know of it, writes into it all the same.
    let (with_entry, entry) =
        edit(&doc, actor(2), |tx| tx.put_object(ROOT, "secret", ObjType::Map).map(drop));
    let (_, honest) = edit(&with_entry, actor(3), |tx| {
        let (_, map) = tx.get(ROOT, "secret")?.unwrap();
        tx.put(&map, "k", 1)
    });
    let mut parts = Parts::parse(&honest).unwrap();
    let (_, on_base) = edit(&doc, actor(3), |tx| tx.put(ROOT, "k", 1));
    let base = Parts::parse(&on_base).unwrap();
    parts.deps = base.deps;
    parts.start_op = base.start_op + 1;
    // Even with a first operation that fits, as another change of that height is added.
    let (_, filler) = edit(&doc, actor(4), |tx| tx.put(ROOT, "filler", 1));
    parts.deps = vec![incoming(&filler).hash.0];
    let forged = parts.change();
    let batch: Vec<_> = [&entry, &filler, &forged].map(|bytes| incoming(bytes)).to_vec();
    let merged = merge(&doc, batch, &LIMITS).unwrap();
    assert_eq!(merged.merged.len(), 2);
    assert_eq!(merged.refused[0].1.code(), "reference");
    // And where the entry is in the document already.
    let merged =
        merge(&with_entry, [&filler, &forged].map(|bytes| incoming(bytes)).to_vec(), &LIMITS)
            .unwrap();
    assert_eq!(merged.refused[0].1.code(), "reference");
}

#[test]
fn references_to_nothing_are_refused() {
    let (doc, _) = contact();
    let (_, honest) = edit(&doc, actor(2), |tx| {
        let (_, map) = tx.get(ROOT, "phones")?.unwrap();
        tx.put(&map, "k", 1)
    });
    let last = Parts::parse(&honest).unwrap().start_op - 1;
    // A scalar, another one, the last operation, one that nobody made.
    for counter in [3, 4, last, last + 1] {
        let mut parts = Parts::parse(&honest).unwrap();
        let column = parts.column(0x02);
        column.clear();
        put_signed(column, -1);
        put_unsigned(column, counter);
        assert_eq!(refusal(&parts.change()), "reference", "object {counter}");
    }
    let mut parts = Parts::parse(&honest).unwrap();
    parts.others = vec![vec![0x77; 16]];
    assert_eq!(refusal(&parts.change()), "reference");
}

/// A change of a hundred bytes that makes a text and inserts `count` elements by run lengths.
fn text_bomb(count: i64) -> Vec<u8> {
    let (_, bytes) = edit(&Automerge::new(), actor(2), |tx| tx.put(ROOT, "t", 1));
    let mut parts = Parts::parse(&bytes).unwrap();
    let runs = |numbers: &[i64]| {
        let mut column = Vec::new();
        numbers.iter().for_each(|number| put_signed(&mut column, *number));
        column
    };
    let mut inserts = vec![1];
    put_unsigned(&mut inserts, count as u64);
    let mut nulls_after_key = vec![0x7f, 1, b't', 0];
    put_unsigned(&mut nulls_after_key, count as u64);
    parts.columns = vec![
        (0x01, runs(&[0, 1, count, 0])),
        (0x02, runs(&[0, 1, count, 1])),
        (0x11, runs(&[0, 2, count - 1, 0])),
        (0x13, runs(&[0, 1, -2, 0, 2, count - 2, 1])),
        (0x15, nulls_after_key),
        (0x34, inserts),
        (0x42, runs(&[-1, 4, count, 1])),
        (0x56, runs(&[count + 1, 0])),
        (0x70, runs(&[count + 1, 0])),
    ];
    parts.change()
}

#[test]
fn a_hundred_bytes_of_text_operations_are_counted_before_they_are_expanded() {
    // It is a change that automerge takes.
    let small = Change::from_bytes(text_bomb(1_000)).unwrap();
    Automerge::new().apply_changes([small]).unwrap();
    let bomb = text_bomb(1 << 40);
    assert!(bomb.len() < 300);
    assert!(matches!(refusal(&bomb).as_str(), "too_many_operations" | "value"));
    assert!(matches!(refusal(&text_bomb(1_000)).as_str(), "value"));
}

/// The most memory that this process has had, in MiB.
#[cfg(target_os = "linux")]
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// The test runs itself twice more: once to see that the measurement notices what automerge does
/// with such bytes, once to see that the guard does not do it.
#[cfg(target_os = "linux")]
#[test]
fn hostile_bytes_take_little_memory() {
    const ROLE: &str = "ROADBOOK_TEST_MEMORY";
    match std::env::var(ROLE).as_deref() {
        Ok("unguarded") => {
            let change = Change::from_bytes(text_bomb(1_000_000)).unwrap();
            Automerge::new().apply_changes([change]).unwrap();
            println!("\npeak {} MiB", peak_mib());
        }
        Ok(_) => {
            let mut samples: Vec<Vec<u8>> = [1_000_000, 1 << 30, 1 << 62].map(text_bomb).to_vec();
            samples.extend([
                chunk(2, &deflate_bomb()),
                chunk(0, &deflate_bomb()),
                chunk(3, &deflate_bomb()),
            ]);
            for sample in samples {
                assert!(both_gates(&Automerge::new(), &sample).is_err());
                assert!(load_snapshot(&sample, &LIMITS).is_err());
            }
            println!("\npeak {} MiB", peak_mib());
        }
        Err(_) => {
            let measure = |role: &str| -> u64 {
                let output = std::process::Command::new(std::env::current_exe().unwrap())
                    .args([
                        "--exact",
                        "guard::tests::hostile::hostile_bytes_take_little_memory",
                        "--nocapture",
                    ])
                    .env(ROLE, role)
                    .output()
                    .unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let line = text.lines().find_map(|line| line.strip_prefix("peak "));
                line.and_then(|line| line.split(' ').next())
                    .unwrap_or_else(|| panic!("{text}"))
                    .parse()
                    .unwrap()
            };
            let (unguarded, guarded) = (measure("unguarded"), measure("guarded"));
            assert!(unguarded > 150, "the measurement sees nothing: {unguarded} MiB");
            assert!(guarded < 32, "{guarded} MiB");
        }
    }
}
