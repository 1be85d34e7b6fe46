//! A first sync that is cut again and again goes on where it was: nothing that the device holds is
//! fetched twice, nothing is left out, and what is edited meanwhile on either side is there at the
//! end.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use roadbook_client_core::OpenOptions;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::Frame;
use roadbook_tests::devices::{self, Tap};
use roadbook_tests::proxy::Proxy;
use roadbook_tests::scene::Scene;

const CONTACTS: usize = 900;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_that_is_cut_goes_on_and_fetches_nothing_twice() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(21, CONTACTS, Some("ada"));
    let laptop = scene.replica("laptop", "ada").await;
    devices::sync(&laptop).await.unwrap();
    let all: Vec<ContactId> = laptop.ids(None).unwrap();
    assert_eq!(all.len(), CONTACTS);

    let link = Proxy::start(scene.listen().parse().unwrap()).await;
    let url = format!("http://{}", link.addr);
    let phone = scene.replica_with("phone", "ada", &url, OpenOptions::default()).await;
    let (mut cuts, mut visits, mut edited) = (0, Vec::new(), BTreeSet::<ContactId>::new());
    let mut reach = 24_000;
    loop {
        let held: BTreeSet<ContactId> = phone.ids(None).unwrap().into_iter().collect();
        let tap = Tap::default();
        link.cut_after_down(reach);
        let result = devices::sync_with(&phone, tap.options()).await;
        for (up, frame) in tap.frames() {
            if let (true, Frame::Fetch(fetch)) = (up, frame) {
                // What the other device edited while its document was on its way is fetched anew.
                let again: Vec<_> = fetch
                    .contacts
                    .iter()
                    .filter(|id| held.contains(id) && !edited.contains(id))
                    .collect();
                assert!(again.is_empty(), "held already and fetched again: {again:?}");
            }
        }
        let now: BTreeSet<ContactId> = phone.ids(None).unwrap().into_iter().collect();
        assert!(now.is_superset(&held), "what is here stays here");
        if result.is_ok() {
            break;
        }
        cuts += 1;
        assert!(cuts < 60, "each attempt gets further: {} of {CONTACTS} after {cuts}", now.len());
        let status = phone.status().unwrap();
        if status.first_sync.is_some() {
            let known = status.missing as usize + now.len();
            assert!(
                (CONTACTS..=CONTACTS + edited.len()).contains(&known),
                "it knows what is missing: {status:?}"
            );
        }
        // Meanwhile, on the other device and on this one.
        let summary = format!("visit by laptop after cut {cuts}");
        let contact = all[cuts * 11 % CONTACTS];
        devices::visit(&laptop, contact, &summary);
        visits.push((contact, summary));
        edited.insert(contact);
        devices::sync(&laptop).await.unwrap();
        if let Some(&contact) = now.first() {
            let summary = format!("visit by phone after cut {cuts}");
            devices::visit(&phone, contact, &summary);
            visits.push((contact, summary));
        }
        reach += 24_000;
    }
    assert!(cuts >= 2, "it was cut in the middle: {cuts}");
    link.cut_after_down(u64::MAX / 2);
    devices::sync(&phone).await.unwrap();
    devices::sync(&laptop).await.unwrap();
    let status = phone.status().unwrap();
    assert_eq!((status.contacts as usize, status.missing), (CONTACTS, 0));
    for replica in [&phone, &laptop] {
        for (contact, summary) in &visits {
            assert_eq!(
                devices::summaries(replica, *contact).get(summary),
                Some(&1),
                "`{summary}` in {contact}"
            );
        }
        assert_eq!(devices::state_hash(replica), scene.state_hash("ada"));
        devices::assert_all_merged(replica);
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_with_no_interruption_fetches_each_document_once() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(22, 600, Some("ada"));
    let phone = scene.replica("phone", "ada").await;
    let tap = Tap::default();
    devices::sync_with(&phone, tap.options()).await.unwrap();
    let mut fetched = Vec::new();
    for (up, frame) in tap.frames() {
        if let (false, Frame::Fetched(part)) = (up, frame) {
            fetched.extend(part.items.into_iter().map(|item| item.contact));
        }
    }
    let distinct: BTreeSet<ContactId> = fetched.iter().copied().collect();
    assert_eq!((fetched.len(), distinct.len()), (600, 600));

    // A second exchange with nothing new brings no customer data at all.
    let tap = Tap::default();
    devices::sync_with(&phone, tap.options()).await.unwrap();
    for (up, frame) in tap.frames() {
        match frame {
            Frame::Page(page) if !up => assert!(page.items.is_empty(), "nothing is new"),
            Frame::Fetched(_) | Frame::Manifest(_) | Frame::Changes(_) => {
                panic!("{} was sent", frame.name())
            }
            _ => {}
        }
    }
}
