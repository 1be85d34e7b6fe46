//! Custom fields that the office defines come to every device, at once or at the next contact, and say how
//! what is typed there, imported or sent by a program is read. They never keep an edit from being merged.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use roadbook_client_core::sync::SyncOptions;
use roadbook_client_core::{Replica, Topic};
use roadbook_protocol::document::{Command, CustomField, CustomKind, Value};
use roadbook_tests::devices::{self, Online};
use roadbook_tests::late::import;
use roadbook_tests::scene::Scene;
use serde_json::json;

/// Nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

fn names(replica: &Replica) -> Vec<String> {
    replica.custom_fields().unwrap().into_iter().map(|field| field.name).collect()
}

fn define(scene: &Scene, args: &[&str]) -> serde_json::Value {
    scene.admin(&[&["custom-field", "set"], args, &["--json"]].concat()).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_office_defines_is_on_every_device_at_once_or_at_its_next_contact() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene, 2, "ada");
    let (ada, ben) = (scene.replica("ada", "ada").await, scene.replica("ben", "ben").await);
    devices::sync(&ben).await.unwrap();
    assert_eq!(names(&ben), Vec::<String>::new());
    // Connected: at once, and whoever shows contacts is told.
    let mut observer = ada.observe(Topic::List);
    let online = Online::go(&ada, SyncOptions::default());
    define(&scene, &["Shoe size", "--kind", "number"]);
    define(&scene, &["Tier", "--kind", "choice", "--choice", "gold", "--choice", "silver"]);
    let come = async {
        while names(&ada) != ["Shoe size", "Tier"] {
            observer.next().await.expect("the replica is open");
        }
    };
    assert!(tokio::time::timeout(PATIENCE, come).await.is_ok(), "{:?}", names(&ada));
    online.end().await;
    let tier = CustomField {
        name: "Tier".into(),
        kind: CustomKind::Choice,
        choices: vec!["gold".into(), "silver".into()],
    };
    assert_eq!(ada.custom_fields().unwrap()[1], tier);
    // Away: at the next contact, in the office's order; without a network what was told last stays.
    scene.admin(&["custom-field", "earlier", "tier"]).ok();
    scene.admin(&["custom-field", "remove", "SHOE SIZE"]).ok();
    define(&scene, &["Since", "--kind", "date"]);
    assert_eq!(names(&ada), ["Shoe size", "Tier"]);
    for replica in [&ada, &ben] {
        devices::sync(replica).await.unwrap();
        assert_eq!(names(replica), ["Tier", "Since"]);
    }

    // A value of another kind, from a device that did not know better, is merged like any other.
    let id = ada.ids(None).unwrap()[0];
    let odd = Command::Custom { name: "Since".into(), value: Some(Value::from("long ago")) };
    devices::edit(&ada, id, &[odd]);
    devices::sync_until_merged(&ada).await;
    assert_eq!(scene.export()[&id.to_string()]["custom"], json!({ "Since": "long ago" }));
    scene.assert_clean();
    let audit = scene.admin(&["audit", "list", "--action", "custom_field", "--json"]).json();
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(5), "{audit}");
}

#[test]
fn what_is_typed_or_imported_is_read_by_the_definition() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    define(&scene, &["Shoe size", "--kind", "number"]);
    define(&scene, &["Tier", "--kind", "choice", "--choice", "Gold", "--choice", "Silver"]);
    define(&scene, &["Vegan", "--kind", "yes_no"]);
    let file = scene.dir().join("fields.csv");
    std::fs::write(
        &file,
        "no,company,shoe size,tier,colour\n1,Alpha,\"42,5\",gold,red\n2,Beta,,bronze,\n",
    )
    .unwrap();
    let imported = scene.admin(&[
        "import",
        file.to_str().unwrap(),
        "--key",
        "no",
        "--map",
        "shoe size=custom.shoe size,tier=custom.tier,colour=custom.Colour",
        "--owner",
        "ada",
    ]);
    // The row with a value that is none is named, with what there is.
    let told = format!("{}{}", imported.stdout, imported.stderr);
    assert!(told.contains("give one of Gold, Silver"), "{told}");
    let all = scene.export();
    assert_eq!(all.len(), 1, "{all:?}");
    let (id, alpha) = all.iter().next().unwrap();
    assert_eq!(alpha["custom"], json!({ "Colour": "red", "Shoe size": 42.5, "Tier": "Gold" }));

    let rep = scene.device("phone", "ada");
    rep.sync();
    let fields = rep.json(&["fields"]);
    assert_eq!(
        fields["custom_fields"][1],
        json!({ "name": "Tier", "kind": "choice", "choices": ["Gold", "Silver"] })
    );
    rep.run(&["set", id, "custom.vegan=Yes", "custom.Tier=silver", "custom.Colour=3"]).ok();
    let refused = rep.run(&["set", id, "custom.Shoe size=large"]);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("`custom.Shoe size`"), "{}", refused.stderr);
    let found = rep.json(&["list", "custom.Vegan:yes custom.\"Shoe size\":>42"]);
    assert_eq!(found["total"], 1, "{found}");
    rep.sync_until_merged();
    let now = &scene.export()[id]["custom"];
    assert_eq!(*now, json!({ "Colour": "3", "Shoe size": 42.5, "Tier": "Silver", "Vegan": true }));

    for (args, reason) in [
        (&["set", "Grade", "--kind", "choice"][..], "needs values"),
        (&["set", "a \"b\""], "quote"),
        (&["remove", "Grade"], "does not exist"),
    ] {
        let refused = scene.admin(&[&["custom-field"], args].concat());
        assert!(!refused.status.success(), "{args:?}");
        assert!(refused.stderr.contains(reason), "{args:?}: {}", refused.stderr);
    }
}
