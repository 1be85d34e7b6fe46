//! The new owner decides about late edits on the own device, with or without a network (rules 18 and 19):
//! in whole or part, once however often it is sent, never against an earlier decision of somebody else,
//! and only as long as the contact is theirs.
#![allow(clippy::unwrap_used)]

use roadbook_client_core::{Error, OpenOptions, Proposal, ProposalVerdict, Replica};
use roadbook_protocol::ids::{ContactId, EditId};
use roadbook_protocol::wire::{
    CAPABILITY_PROPOSALS, Decide, DecideItem, Decided, Frame, Hello, Proposals,
};
use roadbook_tests::devices;
use roadbook_tests::late::{import, item, marker, numbered, proposals, settle};
use roadbook_tests::marker::in_files;
use roadbook_tests::raw::{Identity, Raw};
use roadbook_tests::scene::Scene;
use serde_json::Value;

/// Ada's late edits of a contact that is Ben's now: a field that she changed, one that she filled, a
/// visit; and Ben's device, which has heard of them.
async fn handed_over(to: &str) -> (Scene, ContactId, Replica) {
    let scene = Scene::new();
    scene.reps(&["ada", "ben", "cy"]);
    import(&scene, 1, "ada");
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    let id = numbered(&ada)[&0];
    devices::set(&ada, id, "job_title", &format!("Title{}", marker(500)));
    devices::set(&ada, id, "website", "https://late.example");
    devices::visit(&ada, id, "Visit before the news");
    scene.admin(&["assign", "--to", to, "--filter", "*"]).ok();
    settle(&ada).await;
    proposals(&scene, 1);
    ada.close();
    let theirs = scene.replica(to, to).await;
    devices::sync_until_merged(&theirs).await;
    (scene, id, theirs)
}

/// The one set on a device.
#[track_caller]
fn only(replica: &Replica) -> Proposal {
    let mut all = replica.proposals(true).unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[track_caller]
fn at<'p>(set: &'p Proposal, path: &str) -> &'p roadbook_client_core::ProposalItem {
    let found = set.items.iter().find(|item| item.path == path || item.kind.as_str() == path);
    found.unwrap_or_else(|| panic!("{path} in {set:#?}"))
}

fn office(scene: &Scene) -> Value {
    scene.admin(&["proposal", "list", "--all", "--json"]).json()["proposals"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_new_owner_decides_field_by_field_offline_and_takes_it_back_later() {
    let (mut scene, id, ben) = handed_over("ben").await;
    let set = only(&ben);
    assert_eq!(set.author.name, "Rep ada");
    assert_eq!((set.contact_id, set.state.as_str()), (id, "open"));
    let title = at(&set, "job_title");
    assert_eq!(title.base, "Baker", "what she saw");
    assert_eq!(title.proposed, format!("Title{}", marker(500)));
    assert_eq!(title.now, "Baker", "what stands there");
    assert!(title.at > 0);
    assert_eq!(at(&set, "interaction").state, "accepted", "the visit is in: {set:#?}");
    assert_eq!(ben.status().unwrap().proposals, 1);

    // Without a network, and kept over a restart of the app.
    scene.stop();
    let (title, website) = (title.i, at(&set, "website").i);
    ben.decide_proposal(set.n, Some(&[title]), ProposalVerdict::Accept).unwrap();
    ben.decide_proposal(set.n, Some(&[website]), ProposalVerdict::Accept).unwrap();
    // Another thought, before it was sent.
    ben.decide_proposal(set.n, Some(&[website]), ProposalVerdict::Decline).unwrap();
    let twice = ben.decide_proposal(set.n, Some(&[website]), ProposalVerdict::Decline);
    assert!(matches!(twice, Err(Error::NotAllowed { .. })), "{twice:?}");
    ben.close();
    let ben = Replica::open(&scene.dir().join("ben"), OpenOptions::default()).unwrap();
    let decided = only(&ben);
    assert_eq!(at(&decided, "website").decision.as_ref().unwrap().verdict, "decline");
    assert_eq!(ben.contact(id).unwrap().text("job_title"), "Baker", "not before the office has it");
    let status = ben.status().unwrap();
    assert_eq!((status.proposals, status.decisions_unsent), (0, 2));

    scene.start();
    devices::sync_until_merged(&ben).await;
    assert_eq!(ben.status().unwrap().decisions_unsent, 0);
    let at_office = office(&scene);
    assert_eq!(at_office["state"], "in_part", "{at_office:#}");
    assert_eq!(item(&at_office, "job_title")["decided_by_login"], "ben");
    assert_eq!(item(&at_office, "website")["state"], "declined");
    devices::sync_until_merged(&ben).await;
    assert_eq!(ben.contact(id).unwrap().text("job_title"), format!("Title{}", marker(500)));
    assert_eq!(ben.contact(id).unwrap().text("website"), "");
    let shown = only(&ben);
    assert_eq!(shown.state, "in_part", "{shown:#?}");
    assert_eq!(at(&shown, "job_title").decided_by.as_ref().unwrap().name, "Rep ben");
    assert!(ben.proposals(false).unwrap().is_empty(), "nothing waits any more");

    // It was wrong: taken back on the device, and the other one taken.
    ben.decide_proposal(set.n, Some(&[title, website]), ProposalVerdict::Undo).unwrap();
    devices::sync_until_merged(&ben).await;
    devices::sync_until_merged(&ben).await;
    assert_eq!(ben.contact(id).unwrap().text("job_title"), "Baker", "undone in the contact");
    let open = only(&ben);
    assert_eq!((at(&open, "job_title").state.as_str(), open.state.as_str()), ("open", "open"));
    ben.decide_proposal(set.n, Some(&[website]), ProposalVerdict::Accept).unwrap();
    devices::sync_until_merged(&ben).await;
    devices::sync_until_merged(&ben).await;
    assert_eq!(ben.contact(id).unwrap().text("website"), "https://late.example");
    assert_eq!(devices::state_hash(&ben), scene.state_hash("ben"));
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_comes_after_anothers_is_refused_with_who_decided_what() {
    let (scene, id, ben) = handed_over("ben").await;
    scene.manager("grace");
    let set = only(&ben);
    let title = at(&set, "job_title").i;
    // Offline: all that is open. Meanwhile the manager declines one of them.
    ben.decide_proposal(set.n, None, ProposalVerdict::Accept).unwrap();
    let n = set.n.to_string();
    scene.admin(&["proposal", "decline", &n, "--item", &title.to_string(), "--as", "grace"]).ok();
    devices::sync_until_merged(&ben).await;
    let shown = only(&ben);
    let lost = at(&shown, "job_title");
    let refused = lost.decision.as_ref().unwrap().refused.clone().unwrap();
    assert!(refused.contains("declined by Manager grace on "), "{refused}");
    assert_eq!(lost.state, "declined", "hers holds");
    assert_eq!(at(&shown, "website").state, "accepted", "the rest of it was taken: {shown:#?}");
    devices::sync_until_merged(&ben).await;
    let contact = ben.contact(id).unwrap();
    assert_eq!(
        (contact.text("job_title"), contact.text("website")),
        ("Baker", "https://late.example")
    );
    // Known here now: refused on the spot.
    let again = ben.decide_proposal(set.n, Some(&[title]), ProposalVerdict::Accept).unwrap_err();
    assert!(again.to_string().contains("declined by Manager grace"), "{again}");
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_edits_leave_the_device_with_their_contact_and_the_next_owner_gets_them() {
    let (scene, _, ben) = handed_over("ben").await;
    let set = only(&ben);
    assert!(in_files(&scene.dir().join("ben"), &marker(500)) > 0, "the search finds it");
    ben.decide_proposal(set.n, None, ProposalVerdict::Accept).unwrap();
    scene.admin(&["assign", "--to", "cy", "--filter", "*"]).ok();
    settle(&ben).await;
    assert!(ben.proposals(true).unwrap().is_empty());
    assert_eq!(ben.status().unwrap().decisions_unsent, 0);
    assert_eq!(office(&scene)["state"], "open", "it is not his to decide any more");
    ben.close();
    for n in [0, 500] {
        assert_eq!(in_files(&scene.dir().join("ben"), &marker(n)), 0, "{n} is still on the device");
    }
    let cy = scene.replica("cy", "cy").await;
    devices::sync_until_merged(&cy).await;
    let set = only(&cy);
    cy.decide_proposal(set.n, None, ProposalVerdict::Decline).unwrap();
    devices::sync(&cy).await.unwrap();
    assert_eq!(office(&scene)["state"], "in_part", "the visit was in: {:#}", office(&scene));
    scene.assert_clean();
}

/// A connection that can show late edits; gives the list that it is sent.
async fn connect(scene: &Scene, who: &Identity) -> (Raw, Vec<Proposals>) {
    let mut raw = Raw::connect(&scene.url()).await;
    raw.send(Hello { capabilities: vec![CAPABILITY_PROPOSALS.to_owned()], ..who.hello() }).await;
    let nonce = raw
        .until(|frame| match frame {
            Frame::Challenge(challenge) => Some(challenge.nonce),
            _ => None,
        })
        .await;
    raw.send(who.proof(&nonce, None, 0, &[])).await;
    let mut parts = Vec::new();
    raw.until(|frame| match frame {
        Frame::Proposals(part) => {
            let last = part.last;
            parts.push(part);
            last.then_some(())
        }
        _ => None,
    })
    .await;
    (raw, parts)
}

async fn decide(raw: &mut Raw, decide: &Decide) -> Decided {
    raw.send(decide.clone()).await;
    raw.until(|frame| match frame {
        Frame::Decided(decided) if decided.id == decide.id => Some(decided),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_is_sent_twice_is_made_once_and_one_that_was_undone_is_not_made_again() {
    let (scene, _, ben) = handed_over("ben").await;
    ben.close();
    let phone = Identity::enrol(&scene.url(), &scene.invite("ben")).await;
    let (mut raw, parts) = connect(&scene, &phone).await;
    let set = &parts[0].sets[0];
    let title = set.items.iter().find(|item| item.path == "job_title").unwrap();
    let item = DecideItem { i: title.i, version: title.version, path: title.path.clone() };
    let accept = Decide {
        id: EditId::from_random([7; 16]),
        contact: set.contact,
        device: set.device,
        verdict: ProposalVerdict::Accept,
        items: vec![item],
    };
    assert_eq!(decide(&mut raw, &accept).await.refused, []);
    drop(raw);
    // The answer was lost: it comes again, on another connection.
    let (mut raw, _) = connect(&scene, &phone).await;
    assert_eq!(decide(&mut raw, &accept).await.refused, []);
    let audit = scene.admin(&["audit", "list", "--json"]).stdout;
    assert_eq!(audit.matches("proposal.accept").count(), 2, "the visit and this: {audit}");
    // Undone at the office: what is sent once more does not bring it back.
    scene.admin(&["proposal", "undo", &set.n.to_string(), "--item", &title.i.to_string()]).ok();
    let late = decide(&mut raw, &accept).await;
    assert_eq!(late.refused[0].code, "decided", "{late:?}");
    assert_eq!(office(&scene)["state"], "open");
    // An item that is called otherwise is another one.
    let other = DecideItem { i: title.i, version: title.version + 2, path: "website".into() };
    let other = Decide { items: vec![other], id: EditId::from_random([8; 16]), ..accept };
    assert_eq!(decide(&mut raw, &other).await.refused[0].code, "gone");
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_gets_late_edits_and_decides_about_them_on_a_device() {
    let (scene, id, ben) = handed_over("ben").await;
    let set = only(&ben);
    scene.admin(&["assign", "--to", "cy", "--collaborator", "--ids", &id.to_string()]).ok();
    for login in ["cy", "ada"] {
        let other = Identity::enrol(&scene.url(), &scene.invite(login)).await;
        let (mut raw, parts) = connect(&scene, &other).await;
        assert!(parts.iter().all(|part| part.sets.is_empty()), "{login} gets {parts:?}");
        let title = at(&set, "job_title");
        let items = vec![DecideItem { i: title.i, version: 0, path: title.path.clone() }];
        let accept = Decide {
            id: EditId::from_random([9; 16]),
            contact: id,
            device: set.device_id,
            verdict: ProposalVerdict::Accept,
            items,
        };
        let answer = decide(&mut raw, &accept).await;
        assert_eq!(answer.refused[0].code, "not_yours", "{login}: {answer:?}");
        // One that does not exist is answered the same way.
        let nowhere = ContactId::from_bytes([1; 16]);
        let nothing = decide(&mut raw, &Decide { contact: nowhere, ..accept }).await;
        let named = |text: &str, id: ContactId| text.replace(&id.to_string(), "it");
        assert_eq!(
            named(&nothing.refused[0].reason, nowhere),
            named(&answer.refused[0].reason, id)
        );
    }
    assert_eq!(office(&scene)["state"], "open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_lists_late_edits_and_decides_about_them() {
    let (scene, id, ben) = handed_over("ben").await;
    ben.close();
    let rep = scene.device("laptop", "ben");
    rep.run(&["sync"]).ok();
    let list = rep.json(&["proposals", "list"]);
    let set = &list["proposals"][0];
    assert_eq!(set["author"]["name"], "Rep ada", "{list:#}");
    let n = set["n"].to_string();
    let text = rep.run(&["proposals"]).stdout;
    assert!(text.contains("https://late.example") && text.contains("Baker"), "{text}");
    let job = item(set, "job_title")["i"].to_string();
    let accepted = rep.run(&["proposals", "accept", &n, "--item", &job]);
    assert!(accepted.stdout.contains("accept: goes up with the next sync"), "{accepted:?}");
    rep.run(&["proposals", "decline", &n]).ok();
    let status = rep.run(&["status"]).stdout;
    assert!(status.contains("2 decisions go up with the next sync"), "{status}");
    rep.run(&["sync"]).ok();
    let shown = rep.json(&["proposals", "list", "--all"]);
    assert_eq!(item(&shown["proposals"][0], "job_title")["state"], "accepted", "{shown:#}");
    assert_eq!(item(&shown["proposals"][0], "website")["state"], "declined");
    let contact = &scene.export()[&id.to_string()];
    assert_eq!(contact["job_title"], format!("Title{}", marker(500)), "{contact:#}");
    let none = rep.run(&["proposals", "accept", "77"]);
    assert_eq!(none.status.code(), Some(4), "{}", none.stderr);
}
