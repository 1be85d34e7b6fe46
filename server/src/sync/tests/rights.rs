//! Who gets in, and who gets what.

use roadbook_protocol::wire::{Access, Fetch};

use super::*;
use crate::engine::Assign;
use crate::sync::service::{Identity, while_rights_hold};

#[tokio::test]
async fn a_wrong_key_a_wrong_signature_and_an_unknown_device_get_the_same_refusal() {
    let house = House::open().await;
    let phone = house.phone("ada").await;
    let mut refusals = Vec::new();

    let mut line = Line::dial(house.addr).await;
    let unknown = roadbook_protocol::ids::DeviceId::from_random([7; 16]);
    line.send(Hello { device: unknown, ..phone.hello() }).await;
    refusals.push(line.refusal().await);

    for wrong_key in [true, false] {
        let mut line = Line::dial(house.addr).await;
        line.send(phone.hello()).await;
        let nonce = line
            .until(|frame| match frame {
                Frame::Challenge(challenge) => Some(challenge.nonce),
                _ => None,
            })
            .await;
        let mut proof = phone.proof(&nonce);
        if wrong_key {
            let text = challenge_text(&house.workspace, &phone.enrolled.device, &nonce);
            proof.signature = keys().sign(&text).as_ref().to_vec();
        } else {
            proof.signature = phone.proof(b"another nonce").signature;
        }
        line.send(proof).await;
        refusals.push(line.refusal().await);
    }
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    assert_eq!(problem_code(&refusals[0]), ProblemCode::Unauthorized);
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_contact_of_another_rep_is_never_sent() {
    let house = House::open().await;
    let mut ada = house.phone("ada").await;
    let mut bob = house.phone("bob").await;
    let mut adas = ada.connect(house.addr).await;
    let mut bobs = bob.connect(house.addr).await;
    let page = bobs.page().await;
    bob.confirm(&mut bobs, &page).await;

    let (secret, changes) = ada.create("Secret-Marker");
    ada.upload(&mut adas, changes).await;
    // Asked for by name it is answered like one that does not exist.
    let unknown = new_contact();
    bobs.send(Fetch { request: 1, contacts: vec![secret, unknown] }).await;
    let fetched = bobs
        .until(|frame| match frame {
            Frame::Fetched(fetched) => Some(fetched),
            _ => None,
        })
        .await;
    assert_eq!(fetched.items.len(), 2);
    let blank = |index: usize| {
        let mut item = fetched.items[index].clone();
        item.contact = unknown;
        item
    };
    assert_eq!(blank(0), blank(1));

    // Something of his own comes through after it, so the silence about the other is no delay.
    let (_, changes) = bob.create("Own-Marker");
    bob.upload(&mut bobs, changes).await;
    assert!(!bobs.heard("Secret-Marker"));
    drop(bobs);

    // Nor with a whole new sync.
    bob.timeline = None;
    let mut bobs = bob.connect(house.addr).await;
    bobs.page().await;
    assert!(!bobs.heard("Secret-Marker"));

    // The marker can be found: once the contact is his, it comes.
    let (workspace, bob_user) = (house.workspace, bob.enrolled.user);
    let (before, by) = (bobs.heard.len(), ada.enrolled.user);
    house
        .engine(move |engine| {
            let assign =
                Assign { contacts: vec![secret], owner: Some(Some(bob_user)), ..Assign::default() };
            engine.assign(workspace, Some(by), assign).unwrap();
        })
        .await;
    while !bobs.heard("Secret-Marker") {
        bobs.page().await;
    }
    assert!(bobs.heard.len() > before);
    drop(adas);
    drop(bobs);
    house.close().await;
}

#[tokio::test]
async fn a_change_under_anothers_name_or_actor_is_set_aside() {
    let house = House::open().await;
    let mut ada = house.phone("ada").await;
    let mut bob = house.phone("bob").await;
    let mut adas = ada.connect(house.addr).await;
    let mut bobs = bob.connect(house.addr).await;
    // Bob's own actor, Ada's name.
    let true_user = bob.enrolled.user;
    bob.enrolled.user = ada.enrolled.user;
    let (_, forged) = bob.create("forged name");
    bob.enrolled.user = true_user;
    // Bob's own name, Ada's actor.
    let true_actor = bob.actor;
    bob.actor = ada.actor;
    let (_, stolen) = bob.create("stolen actor");
    bob.actor = true_actor;
    let batch =
        bob.batch(vec![forged[0].clone(), forged[1].clone(), stolen[0].clone(), stolen[1].clone()]);
    bobs.send(batch).await;
    let stored = bobs.stored().await;
    let refused: Vec<_> =
        not_merged(&stored).iter().map(|exception| (exception.index, exception.fate)).collect();
    assert_eq!(refused, [(1, Fate::Quarantined), (3, Fate::Quarantined)], "{stored:?}");
    // Ada's actor is not blocked by it.
    let (_, changes) = ada.create("honest");
    ada.upload(&mut adas, changes).await;
    drop(adas);
    drop(bobs);
    house.close().await;
}

#[tokio::test]
async fn a_revoked_device_is_cut_off_at_once_and_stays_out() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    let (workspace, device) = (house.workspace, phone.enrolled.device);
    house.engine(move |engine| engine.revoke(workspace, None, device).unwrap()).await;
    let refusal = tokio::time::timeout(Duration::from_secs(1), line.refusal()).await.unwrap();
    assert_eq!(problem_code(&refusal), ProblemCode::Revoked);

    let mut line = Line::dial(house.addr).await;
    line.send(phone.hello()).await;
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::Revoked);
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_code_enrols_once_and_a_wrong_one_says_no_more_than_that() {
    let house = House::open().await;
    let user = house.user("ada").await;
    let code = house.code(user).await;
    let keys = keys();
    let mut line = Line::dial(house.addr).await;
    // Case and dashes don't matter.
    line.send(enrol(&keys, &code.to_lowercase().replace('-', " "))).await;
    let enrolled = line
        .until(|frame| match frame {
            Frame::Enrolled(enrolled) => Some(enrolled),
            _ => None,
        })
        .await;
    assert_eq!((enrolled.user, enrolled.login.as_str()), (user, "ada"));
    drop(line);

    let mut refusals = Vec::new();
    for code in [code.as_str(), "00000-00000-00000-00000-000000"] {
        let mut line = Line::dial(house.addr).await;
        line.send(enrol(&super::keys(), code)).await;
        refusals.push(line.refusal().await);
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(problem_code(&refusals[0]), ProblemCode::CodeRefused);

    // A signature by another key: the code is not used up by it.
    let fresh = house.code(user).await;
    let mut line = Line::dial(house.addr).await;
    let Frame::Enrol(mut stolen) = enrol(&keys, &fresh) else { unreachable!() };
    stolen.public_key = super::keys().public_key().as_ref().to_vec();
    line.send(stolen).await;
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::CodeRefused);
    let mut line = Line::dial(house.addr).await;
    line.send(enrol(&super::keys(), &fresh)).await;
    line.until(|frame| matches!(frame, Frame::Enrolled(_)).then_some(())).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_device_that_did_not_hear_of_its_enrolment_asks_again_with_the_same_key() {
    let house = House::open().await;
    let code = house.code(house.user("ada").await).await;
    let keys = keys();
    let mut devices = Vec::new();
    for _ in 0..2 {
        let mut line = Line::dial(house.addr).await;
        line.send(enrol(&keys, &code)).await;
        let device = line.until(|frame| match frame {
            Frame::Enrolled(enrolled) => Some(enrolled.device),
            _ => None,
        });
        devices.push(device.await);
    }
    assert_eq!(devices[0], devices[1]);
    house.close().await;
}

#[tokio::test]
async fn guessing_codes_is_stopped() {
    let house =
        House::open_with(|options| options.sync.enrol_refusals_per_peer = (0.001, 3.0)).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        let mut line = Line::dial(house.addr).await;
        line.send(enrol(&keys(), "00000-00000-00000-00000-000000")).await;
        codes.push(problem_code(&line.refusal().await));
    }
    assert_eq!(codes[..3], [ProblemCode::CodeRefused; 3]);
    assert_eq!(codes[3], ProblemCode::RateLimited);
    house.close().await;
}

#[tokio::test]
async fn what_was_read_before_a_contact_was_taken_away_is_read_again_before_it_is_sent() {
    let house = House::open().await;
    let mut ada = house.phone("ada").await;
    let bob = house.user("bob").await;
    let mut line = ada.connect(house.addr).await;
    let (contact, changes) = ada.create("Handed over");
    ada.upload(&mut line, changes).await;
    let (device, user) = (ada.enrolled.device, ada.enrolled.user);
    let who = Identity { workspace: house.workspace, device, user };
    let accesses = house
        .engine(move |engine| {
            let mut accesses = Vec::new();
            let sent = while_rights_hold(engine, who, || {
                let items = engine.fetch(who.workspace, who.user, &[contact], usize::MAX)?;
                accesses.push(items[0].access);
                if accesses.len() == 1 {
                    // Between the reading and the sending.
                    let owner = Some(Some(bob));
                    let assign = Assign { contacts: vec![contact], owner, ..Assign::default() };
                    engine.assign(who.workspace, Some(user), assign)?;
                }
                Ok(items)
            });
            let sent = sent.unwrap().unwrap();
            assert!(sent[0].snapshot.is_empty() && sent[0].changes.is_empty());
            accesses
        })
        .await;
    assert_eq!(accesses, [Access::Owner, Access::Removed]);
    drop(line);
    house.close().await;
}

/// The table of `rights`, over the socket: whatever the role, what is held comes and what is not held
/// does not; and what only reads writes nothing.
#[tokio::test]
async fn every_role_gets_and_writes_what_the_table_says() {
    use crate::store::people::Role;
    let house = House::open().await;
    let mut ada = house.phone("ada").await;
    let mut adas = ada.connect(house.addr).await;
    let mut contacts = Vec::new();
    for name in ["Own-Marker", "Shared-Marker", "Foreign-Marker"] {
        let (contact, changes) = ada.create(name);
        ada.upload(&mut adas, changes).await;
        contacts.push(contact);
    }
    let [own, shared, foreign] = contacts[..] else { unreachable!() };
    let roles = [
        ("rep", Role::Rep, true),
        ("manager", Role::Manager, true),
        ("admin", Role::Admin, true),
        ("reader", Role::ReadOnly, false),
    ];
    for (login, role, writes) in roles {
        let (workspace, by) = (house.workspace, ada.enrolled.user);
        let user = house.user(login).await;
        house
            .engine(move |engine| {
                let change = move |tx: &rusqlite::Transaction<'_>| {
                    crate::store::people::update_user(tx, workspace, user, None, Some(role), None)
                };
                engine.write::<_, EngineError, _>(change).unwrap();
                let owned =
                    Assign { contacts: vec![own], owner: Some(Some(user)), ..Assign::default() };
                let beside = Assign {
                    contacts: vec![shared],
                    add_collaborators: vec![user],
                    ..Assign::default()
                };
                engine.assign(workspace, Some(by), owned).unwrap();
                engine.assign(workspace, Some(by), beside).unwrap();
            })
            .await;
        let mut phone = house.phone_of(user).await;
        let mut line = phone.connect(house.addr).await;
        line.send(Fetch { request: 1, contacts: vec![own, shared, foreign] }).await;
        let fetched = line
            .until(|frame| match frame {
                Frame::Fetched(fetched) => Some(fetched),
                _ => None,
            })
            .await;
        let accesses: Vec<_> = fetched.items.iter().map(|item| item.access).collect();
        assert_eq!(accesses, [Access::Owner, Access::Collaborator, Access::Removed], "{login}");
        assert!(!line.heard("Foreign-Marker"), "{login}");

        // Written on top of nothing but the constant beginning: only the right to write counts.
        for (contact, held) in [(own, true), (shared, true), (foreign, false)] {
            phone.docs.insert(contact, new_document());
            // A fresh actor per contact and role.
            phone.actor = Actor::from_random(random());
            let (_, change) = phone.edit(contact, login);
            let batch = phone.batch(vec![change]);
            line.send(batch).await;
            let stored = line.stored().await;
            let refused = not_merged(&stored);
            match (held, writes) {
                (true, true) => assert!(refused.is_empty(), "{login}: {stored:?}"),
                (true, false) => assert_eq!(refused[0].code, "read_only", "{login}"),
                (false, _) => assert_eq!(refused[0].fate, Fate::Quarantined, "{login}"),
            }
        }
        drop(line);
    }
    drop(adas);
    house.close().await;
}

#[tokio::test]
async fn a_page_of_another_site_can_not_open_the_socket() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let house = House::open().await;
    for (origin, open) in [
        (None, true),
        (Some(format!("http://{}", house.addr)), true),
        (Some("https://evil.example".to_owned()), false),
        (Some("null".to_owned()), false),
    ] {
        let mut request = format!("ws://{}/sync", house.addr).into_client_request().unwrap();
        if let Some(origin) = &origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(house.addr).await.unwrap();
        let opened = tokio_tungstenite::client_async(request, stream).await;
        match opened {
            Ok(_) => assert!(open, "{origin:?}"),
            Err(Error::Http(response)) => {
                assert!(!open, "{origin:?}");
                assert_eq!(response.status(), 403);
            }
            Err(other) => panic!("{other}"),
        }
    }
    house.close().await;
}
