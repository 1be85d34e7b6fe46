//! The fuzzers' seeds and past findings, replayed as ordinary tests.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::load_snapshot;
use super::super::mutate::{Rng, mutate, with_checksum};
use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz").join(name)
}

fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn base() -> Automerge {
    load_snapshot(&fs::read(folder("seeds/contact.automerge")).unwrap(), &LIMITS).unwrap()
}

fn outcome(base: &Automerge, bytes: &[u8]) -> String {
    both_gates(base, bytes).map_or_else(|code| code, |_| "accepted".to_owned())
}

/// Writes the seeds anew: honest changes, and the first mutants that end in each way.
fn write_seeds() {
    let mut rng = Rng::new(2024);
    let (mut doc, _) = contact();
    for round in 0..6 {
        doc = any_edit(&doc, actor(1 + round % 3), &mut rng).0;
    }
    for name in ["seeds", "corpus/gate1", "corpus/snapshot"] {
        fs::create_dir_all(folder(name)).unwrap();
    }
    fs::write(folder("seeds/contact.automerge"), doc.save_nocompress()).unwrap();
    fs::write(folder("corpus/snapshot/contact"), doc.save_nocompress()).unwrap();
    fs::write(folder("corpus/snapshot/first"), contact().0.save_nocompress()).unwrap();
    let mut honest = vec![contact().1];
    honest.extend((0..12).map(|_| any_edit(&doc, actor(2), &mut rng).1));
    let mut kept: Vec<(String, usize)> = Vec::new();
    let mut keep = |bytes: &[u8], most: usize| {
        let outcome = outcome(&doc, bytes);
        let count = kept.iter().filter(|(known, _)| *known == outcome).count();
        if count < most {
            fs::write(folder("corpus/gate1").join(format!("{outcome}-{count}")), bytes).unwrap();
            kept.push((outcome, count));
        }
    };
    honest.iter().for_each(|bytes| keep(bytes, 12));
    for seed in 0..20_000_usize {
        keep(&mutate(&honest[seed % honest.len()], seed as u64), 2);
    }
}

#[test]
fn every_change_of_the_corpus_ends_as_its_name_says() {
    quiet();
    if std::env::var_os("ROADBOOK_WRITE_CORPUS").is_some() {
        write_seeds();
    }
    let base = base();
    let files = files("corpus/gate1");
    assert!(files.len() > 30, "the corpus has {} files", files.len());
    for (name, bytes) in files {
        let outcome = outcome(&base, &bytes);
        let accepted = name.starts_with("accepted-");
        assert_eq!(outcome == "accepted", accepted, "{name} ended as {outcome}");
        // As the fuzz targets do it: with the checksum corrected nothing escapes either.
        drop(both_gates(&base, &with_checksum(&bytes)));
    }
}

#[test]
fn every_snapshot_of_the_corpus_loads_or_is_refused() {
    quiet();
    let files = files("corpus/snapshot");
    assert!(files.len() >= 2);
    for (name, bytes) in files {
        let loaded = load_snapshot(&with_checksum(&bytes), &LIMITS);
        assert!(loaded.is_ok() || !matches!(name.as_str(), "contact" | "first"), "{name}");
    }
}
