//! One thing done to many contacts: what the preview says, what is done, what is taken back and what is
//! left, who may, and going on after the server died.

use automerge::ReadDoc;

use super::*;
use crate::engine::Assign;
use crate::rights::Rights;
use crate::store::bulk::{ItemState, What};
use crate::store::{audit, bulk, teams};
use roadbook_protocol::document::Value;

impl House {
    fn field(&self, id: ContactId, name: &str) -> String {
        let contact = document::read(id, &self.document(id));
        contact.fields.get(name).and_then(Value::as_text).unwrap_or_default().to_owned()
    }

    fn tags(&self, id: ContactId) -> Vec<String> {
        document::read(id, &self.document(id)).tags.into_iter().collect()
    }

    fn owner(&self, id: ContactId) -> Option<UserId> {
        let workspace = self.workspace;
        self.engine.read(|conn| contacts::find(conn, workspace, id)).unwrap().unwrap().owner
    }

    fn write_field(&self, by: UserId, id: ContactId, name: &str, value: &str) {
        let edits = vec![Authored::edit(id, vec![set(name, value)])];
        let outcomes = self.engine.author(self.workspace, by, edits).unwrap();
        assert!(matches!(outcomes[..], [AuthorOutcome::Merged { .. }]), "{outcomes:?}");
    }

    fn audited(&self, action: &str) -> u64 {
        let workspace = self.workspace;
        let asked = audit::Ask { action: Some(action.into()), ..audit::Ask::default() };
        self.engine.read(|conn| audit::count(conn, workspace, &asked)).unwrap()
    }
}

impl Browser {
    /// Chooses in the list, and follows to the preview. Returns its address and what it shows.
    async fn preview(&self, fields: &[(&str, &str)]) -> (String, Answer) {
        let listed = self.post("/contacts/bulk", fields).await;
        assert_eq!(listed.status, StatusCode::SEE_OTHER, "{}", listed.body);
        let path = listed.location().to_owned();
        let page = self.get(&path).await;
        (path, page)
    }

    /// Does or takes back, and reads the page until nothing is under way.
    async fn until_done(&self, path: &str, verb: &str) -> Answer {
        let begun = self.post(&format!("{path}/{verb}"), &[]).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.body);
        loop {
            let page = self.get(path).await;
            if !page.body.contains("data-again") {
                return page;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_previewed_set_and_taken_back_where_nobody_wrote_since() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let add = |name: &str, status: &str| {
        house.contact(house.workspace, manager, None, &[("company", name), ("status", status)])
    };
    let (alpha, beta, gamma) = (add("Alpha", "lead"), add("Beta", "lead"), add("Gamma", "partner"));
    let mute = add("Hush", "lead");
    let command = Command::Set { field: "do_not_contact".into(), value: Some(Value::Bool(true)) };
    house
        .engine
        .author(house.workspace, manager, vec![Authored::edit(mute, vec![command])])
        .unwrap();

    let wanted = [
        ("all", "1"),
        ("filter", "-company:Z*"),
        ("what", "status"),
        ("status", "partner"),
        ("spare", "1"),
    ];
    let (path, page) = browser.preview(&wanted).await;
    page.assert_has("<span class=\"k\">would change</span><b>2</b>");
    page.assert_has("<span class=\"k\">are so already</span><b>1</b>");
    page.assert_has("<span class=\"k\">are left out</span><b>1</b>");
    page.assert_has("must not be contacted").assert_has("Change 2 contacts").assert_has("Alpha");
    assert_eq!(house.field(alpha, "status"), "lead", "nothing is done before it is confirmed");
    assert_eq!(house.audited("contacts.bulk"), 0);

    let done = browser.until_done(&path, "do").await;
    done.assert_has("2 contacts were changed").assert_has("Take back 2 changes");
    assert_eq!(
        (house.field(alpha, "status"), house.field(mute, "status")),
        ("partner".into(), "lead".into())
    );
    assert_eq!(house.audited("contacts.bulk"), 1);
    let author = document::authorship(&house.document(alpha));
    assert_eq!(author["status"].author, manager);

    // Somebody goes on working: that is theirs.
    house.write_field(manager, beta, "status", "customer");
    house.write_field(manager, alpha, "company", "Alpha & Sons");
    let back = browser.until_done(&path, "undo").await;
    back.assert_has("1 contact is as before").assert_has("1 contact was left");
    back.assert_has("somebody changed it since").assert_has("Beta");
    assert_eq!(house.field(alpha, "status"), "lead");
    assert_eq!(house.field(alpha, "company"), "Alpha & Sons");
    assert_eq!(house.field(beta, "status"), "customer");
    assert_eq!(house.field(gamma, "status"), "partner", "it was so before");
    // Once more does nothing.
    browser.until_done(&path, "undo").await.assert_has("1 contact is as before");
    browser.until_done(&path, "do").await.assert_has("1 contact is as before");
    browser
        .get("/contacts/bulk")
        .await
        .assert_has("taken back")
        .assert_has("Set the status to Partner");
    assert!(house.engine.check().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_added_to_the_chosen_and_taken_away_again() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let ids: Vec<ContactId> = ["One", "Two", "Three"]
        .map(|name| house.contact(house.workspace, manager, None, &[("company", name)]))
        .to_vec();
    let (one, two) = (ids[0].to_string(), ids[1].to_string());
    let wanted = [
        ("pick", one.as_str()),
        ("pick", &two),
        ("pick", &one),
        ("what", "tag"),
        ("tag", " fair "),
    ];
    let (path, page) = browser.preview(&wanted).await;
    page.assert_has("Change 2 contacts").assert_has("Add the tag “fair”");
    browser.until_done(&path, "do").await;
    assert_eq!(house.tags(ids[0]), ["fair"]);
    assert!(house.tags(ids[2]).is_empty());
    let away = [("all", "1"), ("what", "untag"), ("tag", "fair")];
    let (away, page) = browser.preview(&away).await;
    page.assert_has("<span class=\"k\">are so already</span><b>1</b>");
    browser.until_done(&away, "do").await;
    assert!(house.tags(ids[0]).is_empty());
    browser.until_done(&away, "undo").await.assert_has("2 contacts are as before");
    assert_eq!(house.tags(ids[1]), ["fair"]);
    // The first action: its tags are there again, as it left them.
    browser.until_done(&path, "undo").await.assert_has("2 contacts are as before");
    assert!(house.tags(ids[1]).is_empty());

    for (wrong, text) in [
        (vec![("what", "tag"), ("tag", "x")], "Choose contacts"),
        (vec![("all", "1"), ("what", "tag"), ("tag", " ")], "Write the tag first"),
        (vec![("all", "1"), ("what", "status"), ("status", "king")], "one of the statuses"),
        (vec![("all", "1"), ("what", "erase")], "Choose what to do"),
        (
            vec![("all", "1"), ("filter", "statsu:x"), ("what", "untag"), ("tag", "x")],
            "did you mean",
        ),
    ] {
        let refused = browser.post("/contacts/bulk", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.assert_has(text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_handed_over_and_back_unless_given_away_since() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let ada = house.user(house.workspace, "ada", Role::Rep);
    let ben = house.user(house.workspace, "ben", Role::Rep);
    let carl = house.user(house.workspace, "carl", Role::Rep);
    let own =
        |name: &str, owner| house.contact(house.workspace, manager, owner, &[("company", name)]);
    let (a, b, c) = (own("A", Some(ada)), own("B", None), own("C", Some(ben)));
    let beside = Assign { contacts: vec![a], add_collaborators: vec![ben], ..Assign::default() };
    house.engine.assign(house.workspace, Some(manager), beside).unwrap();

    let to = ben.to_string();
    let (path, page) = browser.preview(&[("all", "1"), ("what", "assign"), ("to", &to)]).await;
    page.assert_has("Give to ben")
        .assert_has("<td>ada</td><td>ben</td>")
        .assert_has("<td>nobody</td>");
    browser.until_done(&path, "do").await.assert_has("2 contacts were changed");
    assert_eq!([a, b, c].map(|id| house.owner(id)), [Some(ben); 3]);
    assert_eq!(house.audited("contact.assign"), 2, "the bulk's own beside the one before");

    let away = Assign { contacts: vec![b], owner: Some(Some(carl)), ..Assign::default() };
    house.engine.assign(house.workspace, Some(manager), away).unwrap();
    let back = browser.until_done(&path, "undo").await;
    back.assert_has("1 contact is as before").assert_has("somebody changed it since");
    assert_eq!([a, b, c].map(|id| house.owner(id)), [Some(ada), Some(carl), Some(ben)]);
    let workspace = house.workspace;
    let held = house.engine.read(|conn| contacts::accesses(conn, workspace, a)).unwrap();
    assert!(held.contains(&(ben, roadbook_protocol::wire::Access::Collaborator)), "{held:?}");
    assert!(house.engine.check().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_of_a_team_changes_that_team_alone_and_others_see_nothing_of_it() {
    let house = House::new();
    let (head, _) = house.manager().await;
    let workspace = house.workspace;
    house.engine.write(move |tx| teams::set(tx, workspace, "North", None)).unwrap();
    let member = |login: &'static str, role, team| {
        let (id, now) = (UserId::from_random(random()), house.engine.now_ms());
        let new = NewUser { id, login, name: login, role, team };
        house.engine.write(move |tx| people::create_user(tx, workspace, &new, now)).unwrap();
        id
    };
    let lead = member("lead", Role::Manager, Some("North"));
    let inside = member("inside", Role::Rep, Some("North"));
    let outside = member("outside", Role::Rep, None);
    let watcher = member("watcher", Role::ReadOnly, None);
    let own = |name: &str, owner| house.contact(workspace, head, Some(owner), &[("company", name)]);
    let (mine, shared, foreign) =
        (own("Mine", inside), own("Shared", outside), own("Elsewhere", outside));
    let beside =
        Assign { contacts: vec![shared], add_collaborators: vec![inside], ..Assign::default() };
    house.engine.assign(workspace, Some(head), beside).unwrap();

    let browser = house.browser(workspace, lead).await;
    let to = lead.to_string();
    let picks = [mine, shared, foreign].map(|id| id.to_string());
    let mut wanted: Vec<(&str, &str)> = picks.iter().map(|id| ("pick", id.as_str())).collect();
    wanted.extend([("what", "assign"), ("to", &to)]);
    let (path, page) = browser.preview(&wanted).await;
    page.assert_has("Change 1 contact").assert_has("the owner is of another team");
    page.assert_has("not there, or not yours to see").assert_lacks("Elsewhere");
    browser.until_done(&path, "do").await.assert_has("1 contact was changed");
    assert_eq!(house.owner(mine), Some(lead));
    assert_eq!((house.owner(shared), house.owner(foreign)), (Some(outside), Some(outside)));
    // All that the list finds is what they see.
    let (_, page) = browser.preview(&[("all", "1"), ("what", "tag"), ("tag", "x")]).await;
    page.assert_has("Change 2 contacts").assert_lacks("Elsewhere");
    // Nobody outside the team's reach can be given anything.
    let to = outside.to_string();
    let refused =
        browser.post("/contacts/bulk", &[("all", "1"), ("what", "assign"), ("to", &to)]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);

    let second = house.user(workspace, "second", Role::Manager);
    let other = house.browser(workspace, second).await;
    assert_eq!(other.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.post(&format!("{path}/undo"), &[]).await.status, StatusCode::NOT_FOUND);
    other.get("/contacts/bulk").await.assert_has("Nothing was changed in bulk yet");
    let watching = house.browser(workspace, watcher).await;
    watching.get("/contacts").await.assert_lacks("bulk-box").assert_lacks("name=\"pick\"");
    for path in ["/contacts/bulk", &path] {
        assert_eq!(watching.get(path).await.status, StatusCode::FORBIDDEN);
    }
    let refused =
        watching.post("/contacts/bulk", &[("all", "1"), ("what", "tag"), ("tag", "x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_shown_and_gone_on_with_and_nothing_is_done_twice() {
    const ALL: usize = 300;
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let workspace = house.workspace;
    let new = |n: usize| {
        let id = ContactId::from_bytes(random());
        Authored::create(id, None, vec![set("company", &format!("Firm {n}"))])
    };
    let news: Vec<Authored> = (0..ALL).map(new).collect();
    let ids: Vec<ContactId> = news.iter().map(|new| new.contact).collect();
    house.engine.author(workspace, manager, news).unwrap();
    let (path, _) = browser.preview(&[("all", "1"), ("what", "status"), ("status", "lead")]).await;
    let n: i64 = path.rsplit('/').next().unwrap().parse().unwrap();

    // One slice, then the server is gone.
    assert!(house.engine.bulk_begin(workspace, manager, n, false).unwrap());
    let run = house.engine.bulk_take(workspace, n).unwrap().unwrap();
    assert!(house.engine.bulk_take(workspace, n).unwrap().is_none(), "one at a time");
    let slices = std::cell::Cell::new(0);
    house.engine.bulk_run(&run, || slices.replace(slices.get() + 1) == 1).unwrap();
    drop(run);
    house.engine.shutdown();
    let engine = Engine::open(house.dir.path(), EngineOptions::default()).unwrap();
    let options = OfficeOptions { secure: false, oidc: None, shutdown: CancellationToken::new() };
    let router = router(OfficeState::new(engine.clone(), options));
    let house = House { engine, router: router.clone(), ..house };
    let browser = Browser { router, ..browser };

    let page = browser.get(&path).await;
    page.assert_has("It was cut off after 128 of 300").assert_has("Go on with 172 contacts");
    browser.until_done(&path, "do").await.assert_has("300 contacts were changed");
    for id in &ids {
        assert_eq!(
            house.document(*id).stats().num_changes,
            house.document(ids[0]).stats().num_changes
        );
        assert_eq!(house.field(*id, "status"), "lead");
    }
    browser.until_done(&path, "undo").await.assert_has("300 contacts are as before");
    assert!(ids.iter().all(|id| house.field(*id, "status").is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_kept_out_meanwhile_changes_nothing_more() {
    let house = House::new();
    let (head, _) = house.manager().await;
    let workspace = house.workspace;
    let leaver = house.user(workspace, "leaver", Role::Manager);
    let id = house.contact(workspace, head, None, &[("company", "Firm")]);
    let rights = house
        .engine
        .read(|conn| Rights::of(conn, &people::user(conn, workspace, leaver)?))
        .unwrap();
    let what = What::Tag("x".into());
    let n = house.engine.bulk_list(&rights, leaver, &what, "/contacts", &[id], false).unwrap();
    house.engine.bulk_begin(workspace, leaver, n, false).unwrap();
    let now = house.engine.now_ms();
    house.engine.write(move |tx| people::set_disabled(tx, workspace, leaver, Some(now))).unwrap();
    let run = house.engine.bulk_take(workspace, n).unwrap().unwrap();
    house.engine.bulk_run(&run, || false).unwrap();
    assert!(house.tags(id).is_empty());
    let tally = house.engine.read(|conn| bulk::tally(conn, n)).unwrap();
    assert_eq!((tally[0].state, tally[0].why.as_str()), (ItemState::Refused, "rights"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_counted_renamed_made_one_and_taken_away_in_the_settings() {
    let house = House::new();
    let admin = house.user(house.workspace, "root", Role::Admin);
    let browser = house.browser(house.workspace, admin).await;
    browser.get("/settings/tags").await.assert_has("There are no tags yet");
    let ids: Vec<ContactId> = ["One", "Two", "Three"]
        .map(|name| house.contact(house.workspace, admin, None, &[("company", name)]))
        .to_vec();
    let tag = |id: ContactId, tag: &str| {
        let command = Command::Tag { tag: tag.into(), at: 1 };
        let edits = vec![Authored::edit(id, vec![command])];
        house.engine.author(house.workspace, admin, edits).unwrap();
    };
    for (id, name) in
        [(ids[0], "vip"), (ids[1], "vip"), (ids[2], "VIP"), (ids[0], "fair"), (ids[1], "say \"x\"")]
    {
        tag(id, name);
    }
    let page = browser.get("/settings/tags").await;
    assert_eq!(page.body.matches("written in several ways").count(), 2);
    // What most have is offered for the rest.
    page.assert_has(
        "name=\"to\" list=\"tags-known\" maxlength=\"100\" required autocomplete=\"off\" value=\"vip\"",
    );
    page.assert_has("/contacts?filter=tag").assert_has("say &quot;x&quot;");

    let change = async |tag: &str, what: &str, to: &str| {
        let fields = [("tag", tag), ("what", what), ("to", to)];
        let listed = browser.post("/settings/tags", &fields).await;
        assert_eq!(listed.status, StatusCode::SEE_OTHER, "{}", listed.body);
        listed.location().to_owned()
    };
    // Two become one.
    let merged = change("VIP", "rename", "vip").await;
    browser
        .get(&merged)
        .await
        .assert_has("Rename the tag “VIP” to “vip”")
        .assert_has("/settings/tags");
    assert_eq!(house.tags(ids[2]), ["VIP"], "shown before it is done");
    browser.until_done(&merged, "do").await.assert_has("1 contact was changed");
    assert_eq!(house.tags(ids[2]), ["vip"]);
    // Another name, then back as a whole.
    let renamed = change("vip", "rename", " key account ").await;
    browser.until_done(&renamed, "do").await.assert_has("3 contacts were changed");
    assert_eq!(house.tags(ids[0]), ["fair", "key account"]);
    browser.until_done(&renamed, "undo").await.assert_has("3 contacts are as before");
    assert_eq!(house.tags(ids[0]), ["fair", "vip"]);
    let away = change("say \"x\"", "remove", "").await;
    browser.until_done(&away, "do").await;
    assert_eq!(house.tags(ids[1]), ["vip"]);
    assert_eq!(house.audited("contacts.bulk"), 4, "three, and one taken back");

    for (tag, to, text) in [
        ("vip", "", "Write the tag first"),
        ("vip", "vip", "called so already"),
        ("nobody has it", "x", "No contact has this tag"),
    ] {
        let fields = [("tag", tag), ("what", "rename"), ("to", to)];
        let refused = browser.post("/settings/tags", &fields).await;
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_what_was_searched_for_nor_a_tag_stays_in_the_audit_log_or_after_an_erasure() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let workspace = house.workspace;
    let one = house.contact(workspace, manager, None, &[("company", "Quillfeather")]);
    let listed =
        |n: i64| house.engine.read(|conn| bulk::find(conn, workspace, n)).unwrap().unwrap().asked;
    let number = |path: &str| path.rsplit('/').next().unwrap().parse::<i64>().unwrap();

    let wanted =
        [("all", "1"), ("q", "quillfeather"), ("what", "tag"), ("tag", "friend of Quillfeather")];
    let (done, _) = browser.preview(&wanted).await;
    assert!(listed(number(&done)).contains("quillfeather"), "the way back, until it is confirmed");
    browser.until_done(&done, "do").await.assert_has("1 contact was changed");
    assert_eq!(listed(number(&done)), "/contacts");
    let ask = audit::Ask { action: Some("contacts.bulk".into()), ..audit::Ask::default() };
    let rows = house.engine.read(|conn| audit::list(conn, workspace, &ask, 10, 0)).unwrap();
    assert_eq!(rows.len(), 1);
    let detail = rows[0].detail.to_string();
    assert!(detail.contains("\"tag\"") && !detail.to_lowercase().contains("quill"), "{detail}");

    let (waits, _) = browser.preview(&wanted).await;
    let gone = crate::engine::Erase { contact: one, mentions: Vec::new() };
    house.engine.erase(workspace, Some(manager), vec![gone], "request-1").unwrap();
    assert_eq!(listed(number(&waits)), "/contacts");
}
