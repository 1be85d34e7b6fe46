//! What an honest device does.

use roadbook_protocol::wire::{Access, Fetch};

use super::*;

#[tokio::test]
async fn an_edit_is_stored_then_merged_and_reaches_the_users_other_device() {
    let house = House::open().await;
    let user = house.user("ada").await;
    let mut phone = house.phone_of(user).await;
    let mut laptop = house.phone_of(user).await;
    let mut live = laptop.connect(house.addr).await;
    let first = live.page().await;
    laptop.confirm(&mut live, &first).await;

    let mut line = phone.connect(house.addr).await;
    let (contact, changes) = phone.create("Lovelace-Marker");
    phone.upload(&mut line, changes).await;

    // The laptop is told at once, with the whole contact.
    let page = live.page().await;
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].contact, page.items[0].access), (contact, Access::Owner));
    assert!(live.heard("Lovelace-Marker"));
    laptop.confirm(&mut live, &page).await;

    // A second edit comes as a change.
    let (_, change) = phone.edit(contact, "Byron-Marker");
    let bytes = change.bytes.clone();
    phone.upload(&mut line, vec![change]).await;
    let page = live.page().await;
    assert_eq!(page.items[0].changes, [bytes]);
    assert!(page.items[0].snapshot.is_empty());

    // What the phone sent itself does not come back to it.
    assert!(!line.heard("Marker"));
    drop(live);
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_device_that_comes_back_gets_only_what_is_new() {
    let house = House::open().await;
    let user = house.user("ada").await;
    let (mut phone, mut laptop) = (house.phone_of(user).await, house.phone_of(user).await);
    let mut line = phone.connect(house.addr).await;
    let (contact, changes) = phone.create("one");
    phone.upload(&mut line, changes).await;

    let mut live = laptop.connect(house.addr).await;
    live.send(Fetch { request: 1, contacts: vec![contact] }).await;
    let fetched = live
        .until(|frame| match frame {
            Frame::Fetched(fetched) => Some(fetched),
            _ => None,
        })
        .await;
    assert!(fetched.last && fetched.items.len() == 1 && !fetched.items[0].snapshot.is_empty());
    drop(live);

    let (_, change) = phone.edit(contact, "two");
    let expected = change.bytes.clone();
    phone.upload(&mut line, vec![change]).await;
    let mut live = laptop.connect(house.addr).await;
    let page = live.page().await;
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].changes, [expected]);
    laptop.confirm(&mut live, &page).await;
    drop(live);

    let mut live = laptop.connect(house.addr).await;
    let page = live.page().await;
    assert!(page.items.is_empty(), "nothing is new");
    drop(line);
    drop(live);
    house.close().await;
}

#[tokio::test]
async fn batches_in_flight_are_answered_each_and_a_repeated_one_is_no_second_edit() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    let (contact, mut changes) = phone.create("zero");
    for n in 1..40 {
        changes.push(phone.edit(contact, &format!("name {n}")).1);
    }
    for part in changes.chunks(10) {
        let batch = phone.batch(part.to_vec());
        line.send(batch).await;
    }
    for number in 1..=4 {
        let stored = line.stored().await;
        assert_eq!((stored.batch, not_merged(&stored)), (number, Vec::new()));
    }
    let again = phone.batch(changes);
    line.send(again).await;
    let stored = line.stored().await;
    assert_eq!(not_merged(&stored), Vec::<&Exception>::new());
    let count = house
        .engine(move |engine| {
            assert!(engine.wait_merged(PATIENCE).unwrap());
            // The counter follows the commit that `wait_merged` saw.
            let deadline = std::time::Instant::now() + PATIENCE;
            while engine.metrics().changes_merged < 40 && std::time::Instant::now() < deadline {
                std::thread::yield_now();
            }
            engine.metrics().changes_merged
        })
        .await;
    assert_eq!(count, 40);
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn one_poisoned_change_costs_only_itself() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    let (_, mut changes) = phone.create("good");
    let (_, other) = phone.create("good too");
    let mut poison = other[1].clone();
    let bytes = poison.bytes.len();
    let last = bytes - 1;
    poison.bytes[last] ^= 0xff;
    changes.push(poison);
    changes.extend(other);
    let batch = phone.batch(changes);
    line.send(batch).await;
    let stored = line.stored().await;
    let refused = not_merged(&stored);
    assert_eq!(refused.len(), 1, "{stored:?}");
    let exception = refused[0];
    assert_eq!((exception.index, exception.fate), (2, Fate::Quarantined));
    assert_eq!(exception.code, "checksum");
    // It is kept, with who sent it and why it was refused.
    let workspace = house.workspace;
    let list = move |conn: &rusqlite::Connection| {
        crate::store::changes::set_aside(conn, workspace, None, None, 10)
    };
    let kept = house.engine(move |engine| engine.read::<_, EngineError>(list).unwrap()).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].device, kept[0].code.as_str()), (Some(phone.enrolled.device), "checksum"));
    assert_eq!(kept[0].bytes, bytes as u64);
    let mut merged = stored.exceptions.len() - 1;
    while merged < 4 {
        merged += line
            .until(|frame| match frame {
                Frame::Fates(fates) => Some(merged_in(&fates)),
                _ => None,
            })
            .await;
    }
    drop(line);
    house.engine(|engine| assert!(engine.check().unwrap().is_clean())).await;
    house.close().await;
}

#[tokio::test]
async fn freshness_of_a_device_is_recorded() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    let page = line.page().await;
    let mut events = house.engine.events();
    line.send(AppliedFrame { cursor: page.cursor, unsent: 7, missing: 3 }).await;
    let id = phone.enrolled.device;
    let workspace = house.workspace;
    loop {
        let seen = house
            .engine(move |engine| {
                let find = |conn: &rusqlite::Connection| {
                    crate::store::devices::device(conn, workspace, id)
                };
                engine.read::<_, EngineError>(find).unwrap()
            })
            .await;
        if (seen.unsent, seen.missing) == (7, 3) {
            assert!(seen.last_seen.is_some());
            assert_eq!(seen.app, "test/1.0.0");
            break;
        }
        tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        // The event is a hint from inside a transaction; behind this one it is committed.
        house.engine(|engine| engine.write::<_, EngineError, _>(|_| Ok(())).unwrap()).await;
    }
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn the_directory_is_signed_by_the_workspace() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    let directory = line.directory.take().unwrap();
    assert!(directory.users.iter().any(|user| user.login == "ada"));
    assert!(directory.actors.iter().any(|known| known.actor == phone.actor));
    let text = wire::directory_text(&house.workspace, &directory);
    let key = &phone.enrolled.workspace_key;
    assert!(wire::verify(KeyAlgorithm::Ed25519, key, &text, &directory.signature));
    drop(line);
    house.close().await;
}
