//! The lists that the office has handed to the user of a device: what of them it is told.
//!
//! Of each list a device gets the contacts that its user holds at that moment, and not even the ids of
//! the others (P8).

use ring::digest::{Context, SHA256};
use roadbook_protocol::wire::{HandedList, LIST_CONTACTS_MAX, LISTS_MAX, LISTS_PART_MAX, Lists};

use super::service::{Identity, while_rights_hold};
use crate::engine::Engine;
use crate::rights::{self, Action};
use crate::store::{Result, handed, people};

/// The lists of the user of a device, in parts: at least one; one that says `unchanged` where the device
/// has them (`known`). `None` where the device was revoked meanwhile.
///
/// # Errors
/// What the database says; [`crate::store::EngineError::Busy`] where rights change too fast.
pub fn lists(engine: &Engine, who: Identity, known: Option<u64>) -> Result<Option<Vec<Lists>>> {
    while_rights_hold(engine, who, || {
        let cursor = engine.public_cursor(who.workspace)?;
        let (lists, left_out) = load(engine, who)?;
        let state = state(&lists, left_out);
        if known == Some(state) {
            let same = Lists { state, unchanged: true, ..part(cursor) };
            return Ok(vec![Lists { first: true, last: true, ..same }]);
        }
        Ok(parts(cursor, lists, state, left_out))
    })
}

fn load(engine: &Engine, who: Identity) -> Result<(Vec<HandedList>, u64)> {
    let Identity { workspace, user, .. } = who;
    engine.read(|conn| {
        let role = people::user(conn, workspace, user)?.role;
        let (mut lists, mut room, mut left_out) = (Vec::new(), LIST_CONTACTS_MAX, 0);
        for list in handed::of_user(conn, workspace, user)? {
            let held = handed::held(conn, workspace, user, list.id)?;
            let mut contacts: Vec<_> = held
                .into_iter()
                .filter(|(_, access)| rights::on_device(role, Action::Receive, Some(*access)))
                .map(|(contact, _)| contact)
                .collect();
            // More than was handed over: contacts have come to the user since.
            let fits = if lists.len() < LISTS_MAX { contacts.len().min(room) } else { 0 };
            left_out += (contacts.len() - fits) as u64;
            contacts.truncate(fits);
            room -= fits;
            if lists.len() < LISTS_MAX {
                lists.push(HandedList {
                    id: list.id,
                    name: list.name,
                    by: list.by,
                    by_name: people::user(conn, workspace, list.by)?.name,
                    at: list.at,
                    contacts,
                });
            }
        }
        Ok((lists, left_out))
    })
}

/// Names a state of the lists.
fn state(lists: &[HandedList], left_out: u64) -> u64 {
    let mut digest = Context::new(&SHA256);
    let mut text = |text: &str| {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for list in lists {
        text(&list.name);
        text(&list.by_name);
    }
    digest.update(&left_out.to_be_bytes());
    for list in lists {
        digest.update(list.id.as_bytes());
        digest.update(list.by.as_bytes());
        digest.update(&list.at.to_be_bytes());
        digest.update(&(list.contacts.len() as u64).to_be_bytes());
        for contact in &list.contacts {
            digest.update(contact.as_bytes());
        }
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finish().as_ref()[..8]);
    u64::from_be_bytes(first)
}

fn part(cursor: u64) -> Lists {
    Lists {
        cursor,
        first: false,
        last: false,
        lists: Vec::new(),
        state: 0,
        unchanged: false,
        left_out: 0,
    }
}

fn parts(cursor: u64, lists: Vec<HandedList>, state: u64, left_out: u64) -> Vec<Lists> {
    let mut parts = vec![part(cursor)];
    let mut room = LISTS_PART_MAX;
    for mut list in lists {
        loop {
            let rest = list.contacts.split_off(list.contacts.len().min(room));
            room -= list.contacts.len();
            let next = HandedList { contacts: rest, ..list.clone() };
            if let Some(part) = parts.last_mut() {
                part.lists.push(list);
            }
            if next.contacts.is_empty() {
                break;
            }
            parts.push(part(cursor));
            room = LISTS_PART_MAX;
            list = next;
        }
    }
    parts[0].first = true;
    if let Some(last) = parts.last_mut() {
        (last.last, last.left_out) = (true, left_out);
    }
    parts.iter_mut().for_each(|part| part.state = state);
    parts
}

#[cfg(test)]
mod tests {
    use roadbook_protocol::ids::{ContactId, ListId, UserId};

    use super::*;

    fn list(n: u8, contacts: usize) -> HandedList {
        let contact = |at: usize| {
            let mut bytes = [n; 16];
            bytes[..8].copy_from_slice(&(at as u64).to_be_bytes());
            ContactId::from_bytes(bytes)
        };
        HandedList {
            id: ListId::from_bytes([n; 16]),
            name: format!("list {n}"),
            by: UserId::from_bytes([9; 16]),
            by_name: "Somebody".to_owned(),
            at: 1,
            contacts: (0..contacts).map(contact).collect(),
        }
    }

    #[test]
    fn parts_hold_each_contact_once_and_none_is_larger_than_allowed() {
        for sizes in [&[][..], &[0], &[LISTS_PART_MAX], &[9_999, 2, 0, 25_000, 1]] {
            let all: Vec<_> = sizes.iter().enumerate().map(|(n, c)| list(n as u8, *c)).collect();
            let parts = parts(7, all.clone(), 5, 1);
            let mut joined: Vec<HandedList> = Vec::new();
            for part in &parts {
                let size: usize = part.lists.iter().map(|list| list.contacts.len()).sum();
                assert!(size <= LISTS_PART_MAX, "{size}");
                assert_eq!((part.cursor, part.state), (7, 5));
                for list in &part.lists {
                    match joined.last_mut().filter(|last| last.id == list.id) {
                        Some(last) => last.contacts.extend(&list.contacts),
                        None => joined.push(list.clone()),
                    }
                }
            }
            assert_eq!(joined, all);
            let ends: Vec<_> = parts.iter().map(|part| (part.first, part.last)).collect();
            assert_eq!(ends.iter().filter(|end| end.0).count(), 1);
            assert!(ends[0].0 && ends[ends.len() - 1].1, "{ends:?}");
        }
    }

    #[test]
    fn another_name_contact_or_time_is_another_state() {
        let base = vec![list(1, 3), list(2, 1)];
        let mut others = vec![base.clone(); 6];
        others[0][0].name.push('x');
        others[1][1].contacts.clear();
        others[2][0].at += 1;
        others[3].swap(0, 1);
        others[4][0].by_name.push('x');
        let moved = others[5][0].contacts.pop();
        others[5][1].contacts.extend(moved);
        for other in &others {
            assert_ne!(state(&base, 0), state(other, 0), "{other:?}");
        }
        assert_ne!(state(&base, 0), state(&base, 1));
        assert_eq!(state(&base, 0), state(&base.clone(), 0));
    }
}
