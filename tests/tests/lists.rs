//! Lists that the office hands to reps appear on their devices, at once or at the next contact, hold what
//! each of them holds and nothing else (P8), work without a network, and follow hand-overs and erasures.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use roadbook_client_core::sync::SyncOptions;
use roadbook_client_core::{Observer, OpenOptions, Replica, Topic};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{Fetch, Frame, Lists};
use roadbook_tests::devices::{self, Online, Tap};
use roadbook_tests::late::{import, marker, numbered};
use roadbook_tests::process::Finished;
use roadbook_tests::raw::{Identity, manifest};
use roadbook_tests::scene::Scene;
use serde_json::Value;

/// Nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Six contacts: 0 to 3 are Ada's, 4 and 5 are Ben's, and were never hers.
fn six() -> Scene {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene, 6, "ben");
    give(&scene, &[0, 1, 2, 3], "ada");
    scene
}

fn give(scene: &Scene, numbers: &[usize], to: &str) {
    let filter: Vec<String> = numbers.iter().map(|n| format!("tag:tag{}", marker(*n))).collect();
    scene.admin(&["assign", "--to", to, "--filter", &filter.join(" or ")]).ok();
}

fn hand(scene: &Scene, name: &str, filter: &str, to: &[&str]) -> Finished {
    let mut args = vec!["list", "hand", name, "--filter", filter];
    args.extend(to);
    scene.admin(&args)
}

/// The numbers of the contacts in a list, as a device finds them.
fn in_list(replica: &Replica, filter: &str) -> Vec<usize> {
    let ids: BTreeSet<ContactId> = replica.ids(Some(filter)).unwrap().into_iter().collect();
    let of_list = numbered(replica).into_iter().filter(|(_, id)| ids.contains(id));
    of_list.map(|(n, _)| n).collect()
}

/// Names and counts of the lists of a device.
fn shown(replica: &Replica) -> Vec<(String, u64)> {
    replica.lists().unwrap().into_iter().map(|list| (list.name, list.contacts)).collect()
}

fn list(name: &str, contacts: u64) -> (String, u64) {
    (name.to_owned(), contacts)
}

/// Waits until the device's lists are these.
async fn become_lists(replica: &Replica, observer: &mut Observer, wanted: &[(String, u64)]) {
    let change = async {
        while shown(replica) != wanted {
            observer.next().await.expect("the replica is open");
        }
    };
    let waited = tokio::time::timeout(PATIENCE, change).await;
    assert!(waited.is_ok(), "{:?} never became {wanted:?}", shown(replica));
}

/// The parts of lists that came over a wire.
fn told(tap: &Tap) -> Vec<Lists> {
    let frames = tap.frames().into_iter();
    frames
        .filter_map(|(_, frame)| match frame {
            Frame::Lists(part) => Some(part),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_on_every_device_of_its_receivers_and_works_without_a_network() {
    let scene = six();
    let ada = scene.replica("ada", "ada").await;
    let tablet = scene.replica("tablet", "ada").await;
    let ben = scene.replica("ben", "ben").await;
    for replica in [&ada, &tablet, &ben] {
        devices::sync(replica).await.unwrap();
        assert_eq!(shown(replica), []);
    }

    // Online: at once.
    let mut observer = ada.observe(Topic::List);
    let online = Online::go(&ada, SyncOptions::default());
    let report = scene
        .admin(&[
            "list",
            "hand",
            "Trade fair",
            "--filter",
            "job_title:Baker",
            "--to",
            "ada,ben",
            "--json",
        ])
        .json();
    let counts: Vec<&Value> =
        report["to"].as_array().unwrap().iter().map(|to| &to["contacts"]).collect();
    assert_eq!(counts, [4, 2], "{report:#}");
    become_lists(&ada, &mut observer, &[list("Trade fair", 4)]).await;
    online.end().await;

    // The other device, and the other receiver: at their next contact. Each has what it holds.
    assert_eq!(shown(&tablet), []);
    devices::sync(&tablet).await.unwrap();
    devices::sync(&ben).await.unwrap();
    assert_eq!(shown(&tablet), [list("Trade fair", 4)]);
    assert_eq!(in_list(&tablet, "list:\"trade FAIR\""), [0, 1, 2, 3], "however it is written");
    assert_eq!(in_list(&ben, "list:\"Trade fair\""), [4, 5]);

    // Without a network, and after a restart; beside other conditions too.

    tablet.close();
    let tablet = Replica::open(&scene.dir().join("tablet"), OpenOptions::default()).unwrap();
    let found = &tablet.lists().unwrap()[0];
    assert_eq!((found.contacts, found.by.name.as_str()), (4, "Administrator"), "{found:?}");
    assert_eq!(in_list(&tablet, &found.filter), [0, 1, 2, 3]);
    let one = format!("list:trade* tag:tag{}", marker(2));
    assert_eq!(in_list(&tablet, &one), [2]);
    assert_eq!(in_list(&tablet, "-list:\"Trade fair\""), Vec::<usize>::new());
    assert_eq!(in_list(&tablet, "list:\"no such list\""), Vec::<usize>::new());

    // The same name again takes its place; taken back, it is gone.
    hand(&scene, "TRADE FAIR", &format!("tag:tag{}", marker(0)), &["--to", "ada"]).ok();
    devices::sync(&tablet).await.unwrap();
    devices::sync(&ben).await.unwrap();
    assert_eq!((shown(&tablet), shown(&ben)), (vec![list("TRADE FAIR", 1)], vec![]));
    scene.admin(&["list", "take-back", "Trade Fair"]).ok();
    devices::sync(&tablet).await.unwrap();
    assert_eq!(shown(&tablet), []);
    let none = scene.admin(&["list", "take-back", "Trade Fair"]);
    assert!(none.stderr.contains("Trade Fair"), "{}", none.stderr);
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_follows_hand_overs_and_erasures_and_no_device_is_told_of_what_it_does_not_hold() {
    let scene = six();
    let tap = Tap::default();
    let ada = scene.replica("ada", "ada").await;
    let ben = scene.replica("ben", "ben").await;
    devices::sync_with(&ada, tap.options()).await.unwrap();
    devices::sync(&ben).await.unwrap();
    let (hers, his) = (numbered(&ada), numbered(&ben));
    hand(&scene, "Trade fair", "job_title:Baker", &["--each-owner"]).ok();

    let mut observer = ada.observe(Topic::List);
    let online = Online::go(&ada, tap.options());
    become_lists(&ada, &mut observer, &[list("Trade fair", 4)]).await;
    // Given away while she is online, and while he is not.
    give(&scene, &[0], "ben");
    become_lists(&ada, &mut observer, &[list("Trade fair", 3)]).await;
    devices::sync(&ben).await.unwrap();
    assert_eq!(in_list(&ben, "list:\"Trade fair\""), [0, 4, 5], "it goes on in his part");
    // And back.
    give(&scene, &[0], "ada");
    become_lists(&ada, &mut observer, &[list("Trade fair", 4)]).await;
    devices::sync(&ben).await.unwrap();
    assert_eq!(in_list(&ben, "list:\"Trade fair\""), [4, 5]);

    // Erased, while she is online; and while he is not.
    for id in [hers[&1], his[&4]] {
        scene.admin(&["erase", &id.to_string(), "--reason", "request-1"]).ok();
    }
    become_lists(&ada, &mut observer, &[list("Trade fair", 3)]).await;
    devices::sync(&ben).await.unwrap();
    assert_eq!(shown(&ben), [list("Trade fair", 1)]);
    let office = scene.admin(&["list", "show", "--json"]).json();
    assert_eq!(office["lists"][0]["contacts"], 4, "{office:#}");
    online.end().await;

    // What came down to her, from the first byte: of his contacts not even the ids.
    let down: Vec<Vec<u8>> =
        tap.heard().into_iter().filter(|tapped| !tapped.up).map(|tapped| tapped.bytes).collect();
    let holds = |id: &ContactId| {
        down.iter().any(|frame| frame.windows(16).any(|window| window == id.as_bytes()))
    };
    assert!(hers.values().all(holds), "the search finds what was sent");
    assert!(!his.values().any(holds), "an id of another's contact was sent");
    assert!(!told(&tap).is_empty());
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_a_device_has_are_not_sent_again_and_an_app_that_does_not_keep_them_gets_none() {
    let scene = six();
    hand(&scene, "Trade fair", "job_title:Baker", &["--to", "ada"]).ok();
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    let tap = Tap::default();
    devices::sync_with(&ada, tap.options()).await.unwrap();
    let parts = told(&tap);
    assert_eq!((parts.len(), parts[0].unchanged, parts[0].lists.len()), (1, true, 0), "{parts:?}");
    assert_eq!(shown(&ada), [list("Trade fair", 4)]);

    let old = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let (mut raw, _) = old.open(&scene.url(), &[]).await;
    let contacts = manifest(&mut raw).await;
    hand(&scene, "Another", "job_title:Baker", &["--to", "ada"]).ok();
    raw.send(Fetch { request: 1, contacts }).await;
    raw.until(|frame| match frame {
        Frame::Lists(part) => panic!("it says that it does not keep them: {part:?}"),
        Frame::Fetched(fetched) => fetched.last.then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_to_whom_one_may_give_contacts_and_says_so_before() {
    let scene = six();
    scene.admin(&["team", "set", "North"]).ok();
    for args in [
        &["user", "change", "ada", "--team", "North"][..],
        &["user", "add", "nora", "--role", "manager", "--team", "North"],
        &["user", "add", "max", "--role", "manager"],
    ] {
        scene.admin(args).ok();
    }
    let nora = |args: &[&str]| scene.admin(&[&["--as", "nora"], args].concat());

    // She sees her team's contacts, and knows nobody beyond it.
    let dry =
        nora(&["list", "hand", "Hers", "--filter", "*", "--each-owner", "--dry-run", "--json"])
            .json();
    assert_eq!((&dry["to"][0]["login"], &dry["to"][0]["contacts"]), (&"ada".into(), &4.into()));
    assert_eq!(dry["to"].as_array().unwrap().len(), 1, "{dry:#}");
    assert_eq!(scene.admin(&["list", "show", "--json"]).json()["lists"], serde_json::json!([]));
    let foreign = nora(&["list", "hand", "Hers", "--filter", "*", "--to", "ben"]);
    assert!(!foreign.status.success() && foreign.stderr.contains("`ben`"), "{}", foreign.stderr);

    // A list that goes beyond her team is not hers to see, to replace or to take back.
    scene.admin(&["--as", "max", "list", "hand", "All", "--filter", "*", "--to", "ada,ben"]).ok();
    assert_eq!(nora(&["list", "show", "--json"]).json()["lists"], serde_json::json!([]));
    for args in [
        &["list", "hand", "all", "--filter", "*", "--to", "ada"][..],
        &["list", "take-back", "All"],
    ] {
        assert!(!nora(args).status.success(), "{args:?}");
    }
    // What was shown is what is confirmed: another one, or none, is not replaced by it.
    let hers = ["list", "hand", "Hers", "--filter", "*", "--to", "ada"];
    let first = nora(&[&hers[..], &["--replaces", "", "--json"]].concat()).json();
    let id = first["id"].as_str().unwrap();
    let again = nora(&[&hers[..], &["--replaces", ""]].concat());
    assert!(again.stderr.contains("meanwhile"), "{}", again.stderr);
    let second = nora(&[&hers[..], &["--replaces", id, "--json"]].concat()).json();
    assert_eq!(second["replaces"], id);
    let stale = nora(&[&hers[..], &["--replaces", id]].concat());
    assert!(stale.stderr.contains("look again"), "{}", stale.stderr);
    nora(&["list", "hand", "Hers", "--filter", "*", "--to", "ada"]).ok();
    nora(&["list", "take-back", "hers"]).ok();

    // What can't be is refused with the reason.
    for (args, reason) in [
        (&["list", "hand", "*", "--filter", "*", "--to", "ada"][..], "letters or digits"),
        (&["list", "hand", "None", "--filter", "tag:nobody", "--to", "ada"], "none of the 0"),
        (&["list", "hand", "None", "--filter", "list:x", "--to", "ada"], "devices only"),
        (&["list", "hand", "None", "--filter", "*", "--to", "zoe"], "zoe"),
    ] {
        let refused = scene.admin(args);
        assert!(
            !refused.status.success() && refused.stderr.contains(reason),
            "{args:?}: {}",
            refused.stderr
        );
    }
    let audit = scene.admin(&["audit", "list", "--action", "list", "--json"]).json().to_string();
    assert!(audit.contains("list.hand") && audit.contains("list.back"), "{audit}");
    assert!(!audit.contains("All") && !audit.contains("Hers"), "ids and counts only: {audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_of_the_rep_shows_lists_and_what_is_in_them() {
    let scene = six();
    hand(&scene, "Trade fair", "job_title:Baker", &["--to", "ada"]).ok();
    let rep = scene.device("rep", "ada");
    let none = rep.run(&["lists"]).stdout;
    assert!(none.contains("no list"), "{none}");
    rep.run(&["sync"]).ok();
    let lists = rep.json(&["lists"]);
    assert_eq!(
        (&lists["lists"][0]["name"], &lists["lists"][0]["contacts"]),
        (&"Trade fair".into(), &4.into())
    );
    let text = rep.run(&["lists"]).stdout;
    assert!(text.contains("roadbook list 'list:\"Trade fair\"'"), "{text}");
    let found = rep.json(&["list", "list:\"Trade fair\""]);
    assert_eq!(found["total"], 4, "{found:#}");
}
