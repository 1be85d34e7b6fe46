//! The frames that a server's session sends, built from what the store gave.

use std::collections::HashSet;

use super::server_events::{LoadedItem, ServerEffect};
use super::{ACTORS_MAX, HEADS_PART_MAX, MANIFEST_PART_MAX};
use crate::ids::{ContactId, Cursor};
use crate::wire::{
    ContactHeads, HeadsUnknown, Manifest, MergedRun, PROTOCOL_OLDEST, PageItem, Problem,
    ProblemCode,
};

pub(super) fn whole_item(item: LoadedItem) -> PageItem {
    PageItem {
        contact: item.contact,
        access: item.access,
        owner: item.owner,
        epoch: item.epoch,
        changes: item.changes.into_iter().map(|(_, bytes)| bytes).collect(),
        snapshot: item.snapshot,
        row: item.row,
        heads: item.heads,
        signed: None,
        generation: item.generation,
    }
}

pub(super) fn send_unknown(
    unknown: &[ContactHeads],
    known: &[ContactHeads],
    effects: &mut Vec<ServerEffect>,
) {
    let mut parts = unknown.chunks(HEADS_PART_MAX).peekable();
    if parts.peek().is_none() {
        effects.push(ServerEffect::Send(
            HeadsUnknown { items: Vec::new(), last: true, known: Vec::new() }.into(),
        ));
    }
    while let Some(part) = parts.next() {
        let here: HashSet<ContactId> = part.iter().map(|item| item.contact).collect();
        let known = known.iter().filter(|item| here.contains(&item.contact)).cloned().collect();
        let last = parts.peek().is_none();
        effects.push(ServerEffect::Send(HeadsUnknown { items: part.to_vec(), last, known }.into()));
    }
}

pub(super) fn send_manifest(
    cursor: Cursor,
    contacts: &[ContactId],
    bytes_total: u64,
    effects: &mut Vec<ServerEffect>,
) {
    let parts = contacts.len().div_ceil(MANIFEST_PART_MAX).max(1);
    for part in 0..parts {
        let from = part * MANIFEST_PART_MAX;
        let to = (from + MANIFEST_PART_MAX).min(contacts.len());
        effects.push(ServerEffect::Send(
            Manifest {
                cursor,
                contacts: contacts[from..to].to_vec(),
                last: part + 1 == parts,
                bytes_total,
            }
            .into(),
        ));
    }
}

/// Joins places into runs of consecutive indexes.
pub(super) fn runs(mut places: Vec<(u64, u32)>) -> Vec<MergedRun> {
    places.sort_unstable();
    let mut runs: Vec<MergedRun> = Vec::new();
    for (batch, index) in places {
        match runs.last_mut() {
            Some(run) if run.batch == batch && run.to + 1 == index => run.to = index,
            _ => runs.push(MergedRun { batch, from: index, to: index }),
        }
    }
    runs
}

pub(super) fn problem(code: ProblemCode, message: impl Into<String>) -> Problem {
    Problem {
        code,
        message: message.into(),
        retry_after_ms: None,
        fatal: false,
        actors: Vec::new(),
    }
}

pub(super) fn too_many_actors(count: usize) -> String {
    format!("{count} actors at once; the limit is {ACTORS_MAX}")
}

/// What is said to an app whose protocol is older than any that is understood.
pub(super) fn too_old(protocol: u16) -> Option<String> {
    (protocol < PROTOCOL_OLDEST).then(|| {
        format!(
            "the app speaks protocol {protocol}, the oldest that is understood is {PROTOCOL_OLDEST}; \
             update the app"
        )
    })
}

/// The same answer for a device that is not known and for a wrong signature.
pub(super) fn unauthorized() -> Problem {
    problem(
        ProblemCode::Unauthorized,
        "this device is not known here, or its key does not fit: enrol it with a new code",
    )
}

pub(super) fn revoked() -> Problem {
    problem(
        ProblemCode::Revoked,
        "this device was revoked: ask your admin; to go on, enrol it anew with a new code",
    )
}

/// The entry of `minimum` (`NAME/1.2.3`, several with a space between) that an app is older than, if there is one.
/// An app `NAME/1.2.3` is compared with the entry of its name; what it says after a space, such as the library
/// that it is made with, does not count. An app that no entry names is not judged.
pub fn outdated<'a>(app: &str, minimum: &'a str) -> Option<&'a str> {
    let split = |text: &str| -> Option<(String, Vec<u64>)> {
        let (name, version) = text.split(' ').next()?.split_once('/')?;
        let numbers =
            version.split(['.', '-', '+']).take(3).map(|part| part.parse().unwrap_or(0)).collect();
        Some((name.to_owned(), numbers))
    };
    let (name, version) = split(app)?;
    minimum
        .split(' ')
        .find(|oldest| split(oldest).is_some_and(|(its, oldest)| name == its && version < oldest))
}

#[cfg(test)]
mod tests {
    use super::outdated;

    #[test]
    fn versions_of_one_app_are_compared_by_their_numbers_whatever_it_is_made_with() {
        for (app, oldest) in [
            ("roadbook/0.9.0", "roadbook/0.10.0"),
            ("phone/1.9 roadbook/0.1.0", "phone/1.10"),
            ("phone/1 roadbook/0.1.0", "phone/1.0.1"),
        ] {
            assert_eq!(outdated(app, oldest), Some(oldest), "{app} {oldest}");
        }
        let both = "roadbook/0.2.0 phone/3.1";
        assert_eq!(outdated("phone/3.0 roadbook/0.1.0", both), Some("phone/3.1"));
        assert_eq!(outdated("roadbook/0.1.9", both), Some("roadbook/0.2.0"));
        assert_eq!(outdated("phone/3.1 roadbook/0.1.0", both), None, "its name is what counts");
        for (app, oldest) in [
            ("roadbook/0.10.0", "roadbook/0.10.0"),
            ("phone/1.10 roadbook/0.1.0", "phone/1.10"),
            ("phone/1.10 roadbook/0.1.0", "roadbook/2.0.0"),
            ("tablet/1.0 roadbook/0.1.0", "phone/2.0"),
            ("nameless", "phone/2.0"),
        ] {
            assert_eq!(outdated(app, oldest), None, "{app} {oldest}");
        }
    }
}
