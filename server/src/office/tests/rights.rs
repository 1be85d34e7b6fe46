//! Role x page x relation, over the router: what the table of `rights` says is what the pages do.

use super::*;
use crate::store::teams;

/// Teams North > Coast, and South beside them; a rep in each.
struct Teams {
    house: House,
    /// Contacts: of the rep in North, in Coast, in South, of South with Coast beside, of nobody.
    contacts: [ContactId; 5],
    reps: [UserId; 3],
}

fn person(house: &House, login: &'static str, role: Role, team: Option<&'static str>) -> UserId {
    let (id, now, workspace) =
        (UserId::from_random(random()), house.engine.now_ms(), house.workspace);
    house
        .engine
        .write(move |tx| {
            people::create_user(tx, workspace, &NewUser { id, login, name: login, role, team }, now)
        })
        .unwrap();
    id
}

fn teams() -> Teams {
    let house = House::new();
    let workspace = house.workspace;
    house
        .engine
        .write(move |tx| {
            teams::set(tx, workspace, "North", None)?;
            teams::set(tx, workspace, "Coast", Some("North"))?;
            teams::set(tx, workspace, "South", None)
        })
        .unwrap();
    let reps = [
        person(&house, "north-rep", Role::Rep, Some("North")),
        person(&house, "coast-rep", Role::Rep, Some("Coast")),
        person(&house, "south-rep", Role::Rep, Some("South")),
    ];
    let named = |owner: Option<UserId>, name: &str| {
        house.contact(workspace, reps[0], owner, &[("company", name)])
    };
    let contacts = [
        named(Some(reps[0]), "Marker-North"),
        named(Some(reps[1]), "Marker-Coast"),
        named(Some(reps[2]), "Marker-South"),
        named(Some(reps[2]), "Marker-Shared"),
        named(None, "Marker-Nobody"),
    ];
    let assign = crate::engine::Assign {
        contacts: vec![contacts[3]],
        add_collaborators: vec![reps[1]],
        ..crate::engine::Assign::default()
    };
    house.engine.assign(workspace, Some(reps[0]), assign).unwrap();
    Teams { house, contacts, reps }
}

const MARKERS: [&str; 5] =
    ["Marker-North", "Marker-Coast", "Marker-South", "Marker-Shared", "Marker-Nobody"];

/// For each person: the role, the team, and per contact what happens on reading, editing, and giving
/// away. `+` done, `-` refused, `.` as if there were none.
const TABLE: [(&str, Role, Option<&str>, [&str; 3]); 7] = [
    //                                                     read     edit     give away
    ("admin", Role::Admin, Some("South"), ["+++++", "+++++", "+++++"]),
    ("head", Role::Manager, None, ["+++++", "+++++", "+++++"]),
    ("north", Role::Manager, Some("North"), ["++.+.", "++.+.", "++.-."]),
    ("coast", Role::Manager, Some("Coast"), [".+.+.", ".+.+.", ".+.-."]),
    ("south", Role::Manager, Some("South"), ["..++.", "..++.", "..++."]),
    ("auditor", Role::ReadOnly, None, ["+++++", "-----", "-----"]),
    ("watcher", Role::ReadOnly, Some("North"), ["++.+.", "--.-.", "--.-."]),
];

fn sign(status: StatusCode) -> char {
    match status {
        StatusCode::OK | StatusCode::SEE_OTHER => '+',
        StatusCode::FORBIDDEN => '-',
        StatusCode::NOT_FOUND => '.',
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_role_reads_edits_and_gives_away_what_the_table_says() {
    let Teams { house, contacts, reps } = teams();
    for (login, role, team, [read, edit, give]) in TABLE {
        let user = person(&house, login, role, team);
        let browser = house.browser(house.workspace, user).await;
        let mut done = [String::new(), String::new(), String::new()];
        for (n, contact) in contacts.into_iter().enumerate() {
            let page = browser.get(&format!("/contacts/{contact}")).await;
            done[0].push(sign(page.status));
            let edited = browser
                .post(
                    &format!("/contacts/{contact}/set"),
                    &[("field", "job_title"), ("value", login)],
                )
                .await;
            done[1].push(sign(edited.status));
            // To its owner: what is allowed moves nothing.
            let owner = [Some(reps[0]), Some(reps[1]), Some(reps[2]), Some(reps[2]), None][n];
            let owner = owner.map(|owner| owner.to_string()).unwrap_or_default();
            let given =
                browser.post(&format!("/contacts/{contact}/assign"), &[("owner", &owner)]).await;
            done[2].push(sign(given.status));
        }
        assert_eq!(done, [read, edit, give], "{login}");
        // Lists, search, counts, the feed and the export hold no more than that.
        for path in ["/contacts", "/contacts?q=Marker", "/", "/decide", "/decide/quarantine.json"] {
            let page = browser.get(path).await;
            for (marker, may) in MARKERS.into_iter().zip(read.chars()) {
                if may == '.' {
                    page.assert_lacks(marker);
                } else if path.starts_with("/contacts") {
                    page.assert_has(marker);
                }
            }
        }
        let seen = read.chars().filter(|c| *c == '+').count();
        browser.get("/contacts").await.assert_has(&format!("{seen} contact"));
    }
}

#[tokio::test]
async fn a_hidden_contact_answers_like_one_that_does_not_exist() {
    let Teams { house, contacts, .. } = teams();
    let user = person(&house, "coast", Role::Manager, Some("Coast"));
    let browser = house.browser(house.workspace, user).await;
    let unknown = ContactId::from_random(random());
    let hidden = browser.get(&format!("/contacts/{}", contacts[2])).await;
    let nothing = browser.get(&format!("/contacts/{unknown}")).await;
    assert_eq!((hidden.status, &hidden.body), (nothing.status, &nothing.body));
    for verb in ["set", "put", "tag", "untag", "note", "log", "resolve", "assign"] {
        let fields = [("field", "company"), ("value", "x"), ("tag", "x")];
        let hidden = browser.post(&format!("/contacts/{}/{verb}", contacts[2]), &fields).await;
        let nothing = browser.post(&format!("/contacts/{unknown}/{verb}"), &fields).await;
        assert_eq!((hidden.status, hidden.body), (nothing.status, nothing.body), "{verb}");
    }
}

#[tokio::test]
async fn a_team_manager_gives_to_the_team_only_and_owns_what_they_create() {
    let Teams { house, contacts, reps } = teams();
    let user = person(&house, "north", Role::Manager, Some("North"));
    let browser = house.browser(house.workspace, user).await;
    let give = |to: UserId| {
        let browser = browser.clone();
        let path = format!("/contacts/{}/assign", contacts[0]);
        async move { browser.post(&path, &[("owner", &to.to_string())]).await.status }
    };
    assert_eq!(give(reps[2]).await, StatusCode::NOT_FOUND, "South is not theirs");
    assert_eq!(give(UserId::from_random(random())).await, StatusCode::NOT_FOUND);
    assert_eq!(give(reps[1]).await, StatusCode::SEE_OTHER, "Coast is in North");
    let made = browser.post("/contacts", &[("company", "New here")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(made.location()).await.status, StatusCode::OK);
    browser.get("/contacts").await.assert_has("New here");
}

#[tokio::test]
async fn devices_and_people_are_those_of_the_team() {
    let Teams { house, reps, .. } = teams();
    let (ours, theirs) = (house.device(reps[1]).0, house.device(reps[2]).0);
    let user = person(&house, "north", Role::Manager, Some("North"));
    let browser = house.browser(house.workspace, user).await;
    let page = browser.get("/devices").await;
    page.assert_has("coast-rep").assert_lacks("south-rep");
    let revoke = |id: String| {
        let browser = browser.clone();
        async move { browser.post(&format!("/devices/{id}/revoke"), &[]).await.status }
    };
    assert_eq!(revoke(theirs.id.to_string()).await, StatusCode::NOT_FOUND);
    assert_eq!(revoke(ours.id.to_string()).await, StatusCode::SEE_OTHER);
    for path in ["/audit", "/audit/export"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let code = browser.post(&format!("/people/{}/code", reps[1]), &[]).await;
    assert_eq!(code.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_audit_page_shows_filters_verifies_and_exports() {
    let Teams { house, reps, .. } = teams();
    let admin = person(&house, "admin", Role::Admin, None);
    let manager = person(&house, "north", Role::Manager, Some("North"));
    let browser = house.browser(house.workspace, admin).await;
    let device = house.device(reps[0]).0;
    browser.post(&format!("/devices/{}/revoke", device.id), &[]).await;
    let code = browser.post(&format!("/people/{manager}/code"), &[]).await;
    code.assert_has("id=\"one-time-code\"");
    browser
        .get("/audit")
        .await
        .assert_has("<b>Device revoked</b>")
        .assert_has("<b>Contacts assigned</b>");
    let device_only = browser.get("/audit?action=device").await;
    device_only.assert_has("<b>Device revoked</b>").assert_lacks("<b>Contacts assigned</b>");
    let mine = browser.get(&format!("/audit?by={admin}")).await;
    mine.assert_has("<b>One-time code made</b>").assert_lacks("<b>Contacts assigned</b>");
    browser.get("/audit?about=nothing-like-it").await.assert_has("Nothing fits");
    browser.get("/audit?verify=1").await.assert_has("Nothing was altered");
    let csv = browser.get("/audit/export?format=csv&action=device").await;
    assert_eq!(csv.status, StatusCode::OK);
    assert_eq!(csv.body.lines().count(), 2, "{}", csv.body);
    let json = browser.get("/audit/export").await;
    for line in json.body.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["hash"].as_str().unwrap().len(), 64);
    }
    browser.get("/audit").await.assert_has("<b>Audit log exported</b>");
    // Ids only.
    for name in ["north-rep", "Marker-North"] {
        json.assert_lacks(name);
    }
}
