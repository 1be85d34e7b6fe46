//! The deterministic bootstrap changes that create the root containers (rule 13).
//!
//! Two devices that create the same map each would hide one of them, so every container comes from
//! a constant change: fixed actor, sequence 1, no dependencies, time 0. Its operations have the same
//! ids in every contact, so containers are addressed by these ids and never by the root key: a
//! change that overwrites the key hides nothing.
//!
//! A bootstrap holds root containers and counters only. New nested data of a later version goes to
//! a new root map whose keys are `entry/child`, created by the next bootstrap. A bootstrap that was
//! released must never change.

use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ChangeMetadata, ObjId, ObjType,
    TextEncoding,
};

use super::schema::{CUSTOM, Collection, EXTERNAL_IDS, NOTE, TAGS};

/// One constant change that creates root containers, the same in every contact.
#[derive(Debug, Clone, Copy)]
pub struct Bootstrap {
    /// Its name; the actor is the first 16 bytes of the name's SHA-256.
    pub name: &'static str,
    /// Its hash.
    pub hash: ChangeHash,
    /// Its bytes, an uncompressed change chunk.
    pub bytes: &'static [u8],
}

/// The actor of bootstrap 1.
const ACTOR_1: [u8; 16] = [
    0xdf, 0x7a, 0xd2, 0x9d, 0x7a, 0x77, 0xae, 0x65, 0xbf, 0x89, 0xbf, 0xfa, 0xbf, 0x1d, 0x5e, 0x5f,
];

static BOOTSTRAPS: [Bootstrap; 1] = [Bootstrap {
    name: "roadbook/bootstrap/1",
    hash: ChangeHash([
        0x87, 0x3a, 0xd8, 0x54, 0xff, 0x7e, 0x15, 0xb6, 0x16, 0x81, 0x7f, 0x8c, 0xf8, 0x43, 0xc6,
        0x64, 0xd4, 0x87, 0xda, 0x81, 0xc1, 0x61, 0x5e, 0xaa, 0x4b, 0xad, 0xf4, 0x61, 0x17, 0x08,
        0xe7, 0xd9,
    ]),
    bytes: &[
        0x85, 0x6f, 0x4a, 0x83, 0x87, 0x3a, 0xd8, 0x54, 0x01, 0x99, 0x01, 0x00, 0x10, 0xdf, 0x7a,
        0xd2, 0x9d, 0x7a, 0x77, 0xae, 0x65, 0xbf, 0x89, 0xbf, 0xfa, 0xbf, 0x1d, 0x5e, 0x5f, 0x01,
        0x01, 0x00, 0x00, 0x00, 0x05, 0x15, 0x6e, 0x34, 0x01, 0x42, 0x04, 0x56, 0x02, 0x70, 0x02,
        0x73, 0x06, 0x70, 0x68, 0x6f, 0x6e, 0x65, 0x73, 0x06, 0x65, 0x6d, 0x61, 0x69, 0x6c, 0x73,
        0x0a, 0x6d, 0x65, 0x73, 0x73, 0x65, 0x6e, 0x67, 0x65, 0x72, 0x73, 0x09, 0x61, 0x64, 0x64,
        0x72, 0x65, 0x73, 0x73, 0x65, 0x73, 0x0c, 0x69, 0x6e, 0x74, 0x65, 0x72, 0x61, 0x63, 0x74,
        0x69, 0x6f, 0x6e, 0x73, 0x05, 0x64, 0x65, 0x61, 0x6c, 0x73, 0x09, 0x70, 0x75, 0x72, 0x63,
        0x68, 0x61, 0x73, 0x65, 0x73, 0x05, 0x74, 0x61, 0x73, 0x6b, 0x73, 0x08, 0x63, 0x6f, 0x6e,
        0x73, 0x65, 0x6e, 0x74, 0x73, 0x04, 0x74, 0x61, 0x67, 0x73, 0x06, 0x63, 0x75, 0x73, 0x74,
        0x6f, 0x6d, 0x0c, 0x65, 0x78, 0x74, 0x65, 0x72, 0x6e, 0x61, 0x6c, 0x5f, 0x69, 0x64, 0x73,
        0x04, 0x6e, 0x6f, 0x74, 0x65, 0x0d, 0x0c, 0x00, 0x7f, 0x04, 0x0d, 0x00, 0x0d, 0x00,
    ],
}];

/// The containers of bootstrap 1, in the order of their operations (the first has counter 1).
const CONTAINERS_1: [(&str, ObjType); 13] = [
    ("phones", ObjType::Map),
    ("emails", ObjType::Map),
    ("messengers", ObjType::Map),
    ("addresses", ObjType::Map),
    ("interactions", ObjType::Map),
    ("deals", ObjType::Map),
    ("purchases", ObjType::Map),
    ("tasks", ObjType::Map),
    ("consents", ObjType::Map),
    (TAGS, ObjType::Map),
    (CUSTOM, ObjType::Map),
    (EXTERNAL_IDS, ObjType::Map),
    (NOTE, ObjType::Text),
];

/// All bootstraps, oldest first.
pub fn bootstraps() -> &'static [Bootstrap] {
    &BOOTSTRAPS
}

/// An empty document with bootstrap 1 applied, positions in Unicode code points. A new contact's
/// first own change depends on it, so its bytes are sent before that change.
pub fn new_document() -> Automerge {
    let mut doc = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint);
    ensure(&mut doc).expect("on an empty document nothing clashes with the constants");
    doc
}

/// Applies the bootstraps that the document lacks. An error means that a stranger used the
/// bootstrap's actor for something else.
pub(crate) fn ensure(doc: &mut Automerge) -> Result<(), AutomergeError> {
    for bootstrap in bootstraps() {
        if doc.get_change_meta_by_hash(&bootstrap.hash).is_some() {
            continue;
        }
        let change = Change::from_bytes(bootstrap.bytes.to_vec())
            .expect("a constant, decoded by the golden test");
        doc.apply_changes([change])?;
    }
    Ok(())
}

/// Whether this is the hash of a bootstrap.
pub(crate) fn is_bootstrap(hash: &ChangeHash) -> bool {
    BOOTSTRAPS.iter().any(|bootstrap| bootstrap.hash == *hash)
}

/// Whether a change is a bootstrap, those of newer versions included: the first of its actor, upon
/// nothing, by nobody.
pub(crate) fn looks_like_one(meta: &ChangeMetadata<'_>) -> bool {
    is_bootstrap(&meta.hash) || meta.seq == 1 && meta.deps.is_empty() && meta.message.is_none()
}

fn container(name: &str) -> ObjId {
    let counter = CONTAINERS_1.iter().position(|(container, _)| *container == name).unwrap_or(0);
    ObjId::Id(counter as u64 + 1, ActorId::from(ACTOR_1), 0)
}

/// The map of a collection.
pub(crate) fn collection_map(collection: Collection) -> ObjId {
    container(collection.name())
}

/// The map of tags.
pub(crate) fn tags_map() -> ObjId {
    container(TAGS)
}

/// The map of custom fields.
pub(crate) fn custom_map() -> ObjId {
    container(CUSTOM)
}

/// The map of ids in other systems.
pub(crate) fn external_ids_map() -> ObjId {
    container(EXTERNAL_IDS)
}

/// The text of the note.
pub(crate) fn note_text() -> ObjId {
    container(NOTE)
}

/// Whether a root key is that of a container (or of the JSON of a contact), so that no scalar may
/// stand there.
pub(crate) fn is_reserved(name: &str) -> bool {
    name == "id"
        || name == "display_name"
        || name == super::schema::GENERATION
        || CONTAINERS_1.iter().any(|(container, _)| *container == name)
}

#[cfg(test)]
mod tests {
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{ROOT, ReadDoc};
    use ring::digest;

    use super::*;

    fn build_1() -> Change {
        let name = digest::digest(&digest::SHA256, b"roadbook/bootstrap/1");
        let mut doc = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint)
            .with_actor(ActorId::from(&name.as_ref()[..16]));
        let mut tx = doc.transaction();
        for (name, kind) in CONTAINERS_1 {
            tx.put_object(ROOT, name, kind).unwrap();
        }
        let hash = tx.commit_with(CommitOptions::default().with_time(0)).0.unwrap();
        doc.get_change_by_hash(&hash).unwrap()
    }

    #[test]
    fn bootstrap_1_is_the_golden_constant() {
        let built = build_1();
        let bytes = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:#04x},")).collect::<String>();
        let golden = &bootstraps()[0];
        assert_eq!(built.actor_id().to_bytes(), ACTOR_1, "{}", bytes(built.actor_id().to_bytes()));
        assert_eq!(built.hash(), golden.hash, "{}", bytes(&built.hash().0));
        assert_eq!(built.raw_bytes(), golden.bytes, "{}", bytes(built.raw_bytes()));
        assert_eq!((built.seq(), built.start_op().get(), built.timestamp()), (1, 1, 0));
        assert!(built.deps().is_empty() && built.message().is_none());
    }

    #[test]
    fn every_container_of_the_schema_is_there_under_its_constant_id() {
        let doc = new_document();
        for collection in Collection::ALL {
            let (_, id) = doc.get(ROOT, collection.name()).unwrap().unwrap();
            assert_eq!(id, collection_map(collection));
            assert_eq!(doc.object_type(&id).unwrap(), ObjType::Map);
        }
        for (name, id) in [
            (TAGS, tags_map()),
            (CUSTOM, custom_map()),
            (EXTERNAL_IDS, external_ids_map()),
            (NOTE, note_text()),
        ] {
            assert_eq!(doc.get(ROOT, name).unwrap().unwrap().1, id);
        }
        assert_eq!(doc.get_heads(), vec![bootstraps()[0].hash]);
    }
}
