//! Segments, funnel, activity and value: what they count, whom they show it to, what they do.

use roadbook_protocol::document::{self, Collection, Command, Value};
use roadbook_protocol::ids::{ContactId, EntryId, UserId};

use super::*;
use crate::store::{audit, teams};

fn put(collection: Collection, id: u8, fields: &[(&str, Value)]) -> Command {
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    Command::Put { collection, id: EntryId::from_bytes([id; 16]), fields }
}

fn bought(id: u8, date: &str, amount: i64, currency: &str) -> Command {
    let fields = [("date", date.into()), ("amount", amount.into()), ("currency", currency.into())];
    put(Collection::Purchases, id, &fields)
}

impl House {
    fn edit(&self, by: UserId, contact: ContactId, commands: Vec<Command>) {
        let edits = vec![Authored::edit(contact, commands)];
        let outcomes = self.engine.author(self.workspace, by, edits).unwrap();
        assert!(matches!(outcomes[..], [AuthorOutcome::Merged { .. }]), "{outcomes:?}");
    }

    fn deal(&self, contact: ContactId) -> document::Entry {
        document::read(contact, &self.document(contact)).deals.remove(0)
    }
}

/// A day so long before now.
fn ago(house: &House, days: i64) -> String {
    let at = house.engine.now_ms() - days * 86_400_000;
    chrono::DateTime::from_timestamp_millis(at).unwrap().format("%Y-%m-%d").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_stand_by_their_currency_and_a_cell_leads_to_its_customers() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    browser.get("/value").await.assert_has("Nothing was bought yet");
    let mut contacts = Vec::new();
    for n in 0..10_i64 {
        let contact =
            house.contact(house.workspace, manager, None, &[("company", &format!("Firm {n}"))]);
        let orders: Vec<Command> = (0..=n)
            .map(|m| bought(m as u8 + 1, &ago(&house, 500 - 40 * n + m), 10_000 * (n + 1), "EUR"))
            .collect();
        house.edit(manager, contact, orders);
        contacts.push(contact);
    }
    house.edit(manager, contacts[3], vec![bought(99, &ago(&house, 3), 77_700, "DKK")]);
    let page = browser.get("/value").await;
    page.assert_has("Revenue in EUR").assert_has("38,500.00 EUR");
    page.assert_has("Revenue in DKK").assert_has("777.00 DKK").assert_lacks("39,277");
    page.assert_has("/segments?filter=recency%3A5+frequency%3A5");
    let best = browser.get("/segments?filter=recency:5+frequency:5").await;
    best.assert_has("Firm 9").assert_has("Firm 8").assert_lacks("Firm 7");
    // As of a day in the past; with limits; and what can't be read is said.
    browser.get(&format!("/value?as_of={}", ago(&house, 450))).await.assert_lacks("38,500.00 EUR");
    browser.get("/value?by=limits").await.assert_has("Days since the last");
    browser.get("/value?by=limits&recency=5,4").await.assert_has("four numbers");
    browser.get("/value?as_of=soon").await.assert_has("is no day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_is_moved_by_the_manager_and_never_over_somebody_elses_move() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let contact = house.contact(house.workspace, manager, None, &[("company", "Firm")]);
    let fields = [
        ("title", "Press".into()),
        ("stage", "lead".into()),
        ("amount", 120_000.into()),
        ("currency", "EUR".into()),
    ];
    house.edit(manager, contact, vec![put(Collection::Deals, 1, &fields)]);
    let board = browser.get("/funnel").await;
    board.assert_has("Press").assert_has("1,200.00 EUR").assert_has("120.00 EUR");
    let path = format!("/contacts/{contact}/stage");
    let deal = EntryId::from_bytes([1; 16]).to_string();
    let form = [("deal", deal.as_str()), ("stage", "offer"), ("was", "lead"), ("back", "/funnel")];
    let moved = browser.post(&path, &form).await;
    assert_eq!((moved.status, moved.location()), (StatusCode::SEE_OTHER, "/funnel"));
    assert_eq!(house.deal(contact).text("stage"), "offer");
    browser.get("/funnel").await.assert_has("600.00 EUR");
    // Who still saw it in its old stage does not undo that unseen.
    let late = [("deal", deal.as_str()), ("stage", "qualified"), ("was", "lead")];
    assert_eq!(browser.post(&path, &late).await.status, StatusCode::CONFLICT);
    let lost =
        [("deal", deal.as_str()), ("stage", "lost"), ("was", "offer"), ("lost_reason", "Price")];
    browser.post(&path, &lost).await;
    assert_eq!(house.deal(contact).text("lost_reason"), "Price");
    browser.get("/funnel").await.assert_has("Why deals were lost").assert_has("Price");
    assert!(house.engine.check().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_an_entry_writes_what_was_touched_alone_and_nothing_newer_over_unseen() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let contact = house.contact(house.workspace, manager, None, &[("company", "Firm")]);
    let fields = [("title", "Press".into()), ("stage", "lead".into())];
    house.edit(manager, contact, vec![put(Collection::Deals, 1, &fields)]);
    let deal = EntryId::from_bytes([1; 16]).to_string();
    let save = async |fields: &[(&str, &str)]| {
        let mut form = vec![("collection", "deals"), ("id", deal.as_str())];
        form.extend(fields);
        browser.post(&format!("/contacts/{contact}/put"), &form).await
    };
    // Somebody wins the deal while its title is being written.
    house.edit(manager, contact, vec![put(Collection::Deals, 1, &[("stage", "won".into())])]);
    let title = [("title", "Big press"), ("was-title", "Press")];
    let saved = save(&[title[0], title[1], ("stage", "lead"), ("was-stage", "lead")]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let now = house.deal(contact);
    assert_eq!((now.text("title"), now.text("stage")), ("Big press", "won"));

    // Who moves it without having seen that is asked; nothing of the form is written.
    let late = [("title", "Press"), ("was-title", "Big press")];
    let asked = save(&[late[0], late[1], ("stage", "offer"), ("was-stage", "lead")]).await;
    assert_eq!(asked.status, StatusCode::CONFLICT);
    asked.assert_has("Somebody changed this to “Won”").assert_has("data-was=\"was-stage\"");
    assert_eq!(house.deal(contact).text("title"), "Big press");
    let again = save(&[late[0], late[1], ("stage", "offer"), ("was-stage", "won")]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_eq!(house.deal(contact).text("stage"), "offer");
    browser
        .get(&format!("/contacts/{contact}"))
        .await
        .assert_has("name=\"was-stage\" value=\"offer\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_comes_together_is_one_line_that_tells_of_visits_and_moved_deals() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let contact = house.contact(house.workspace, manager, None, &[("company", "Firm")]);
    let visit = |id, summary: &str| {
        let fields = [("kind", "visit".into()), ("at", 5.into()), ("summary", summary.into())];
        vec![put(Collection::Interactions, id, &fields)]
    };
    let deal = |stage: &str| {
        vec![put(Collection::Deals, 9, &[("title", "Press".into()), ("stage", stage.into())])]
    };
    // All of them arrive at once, as after hours offline.
    let authored = [visit(1, "tasted"), visit(2, "ordered"), deal("lead"), deal("offer")]
        .into_iter()
        .chain((0..3).map(|n| vec![set("city", &format!("Town {n}"))]))
        .map(|commands| Authored::edit(contact, commands))
        .collect();
    house.engine.author(house.workspace, manager, authored).unwrap();
    let page = browser.get("/").await;
    page.assert_has("2 visits · 1 new contact · 2 deals moved")
        .assert_has("ordered")
        .assert_has("Stage: Offer")
        .assert_lacks("Town 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_built_saved_shared_exported_and_assigned() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    house.user(house.workspace, "nancy", Role::Rep);
    for (name, status) in [("Alpha", "customer"), ("Beta", "lead"), ("Gamma", "customer")] {
        house.contact(house.workspace, manager, None, &[("company", name), ("status", status)]);
    }
    let added = browser.get("/segments?filter=&field=status&op=is&value=customer").await;
    assert_eq!(added.location(), "/segments?filter=status%3Acustomer");
    let page = browser.get(added.location()).await;
    page.assert_has("2 contacts in this segment").assert_has("Alpha").assert_lacks("Beta");
    let narrower =
        browser.get("/segments?filter=status:customer+or+tag:x&field=owner&op=is&value=none").await;
    assert_eq!(
        narrower.location(),
        "/segments?filter=%28status%3Acustomer+or+tag%3Ax%29+owner%3Anone"
    );
    browser.get("/segments?filter=statsu:x").await.assert_has("did you mean");

    let saved = [("name", "Ours"), ("filter", "status:customer"), ("shared", "1")];
    assert_eq!(browser.post("/segments", &saved).await.status, StatusCode::SEE_OTHER);
    let other = house.user(house.workspace, "second", Role::Manager);
    let colleague = house.browser(house.workspace, other).await;
    let seen = colleague.get("/segments").await;
    seen.assert_has("Ours").assert_lacks("Remove the segment Ours");

    let csv = browser.post("/segments/export", &[("filter", "status:customer")]).await;
    assert_eq!(csv.status, StatusCode::OK);
    csv.assert_has("Alpha").assert_has("Gamma").assert_lacks("Beta");
    let workspace = house.workspace;
    let asked = audit::Ask { action: Some("contacts.export".into()), ..audit::Ask::default() };
    let recorded = house.engine.read(|conn| audit::count(conn, workspace, &asked)).unwrap();
    assert_eq!(recorded, 1);
    // Consent for a channel is an administrator's export.
    let refused = browser.post("/segments/export", &[("filter", ""), ("channel", "email")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

    let wanted = [("filter", "status:customer"), ("to", "nancy")];
    let preview = browser.post("/segments/assign", &wanted).await;
    preview.assert_has("2 contacts would go to").assert_has("nancy");
    browser.get("/segments?filter=owner:nancy").await.assert_has("0 contacts in this segment");
    let confirmed = [("filter", "status:customer"), ("to", "nancy"), ("confirmed", "1")];
    browser.post("/segments/assign", &confirmed).await.assert_has("2 contacts");
    browser.get("/segments?filter=owner:nancy").await.assert_has("2 contacts in this segment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_of_a_team_counts_that_team_and_exports_nothing() {
    let house = House::new();
    let (head, _) = house.manager().await;
    let workspace = house.workspace;
    house.engine.write(move |tx| teams::set(tx, workspace, "North", None)).unwrap();
    let member = |login: &'static str, role| {
        let id = UserId::from_random(random());
        let now = house.engine.now_ms();
        let new = NewUser { id, login, name: login, role, team: Some("North") };
        house.engine.write(move |tx| people::create_user(tx, workspace, &new, now)).unwrap();
        id
    };
    let (lead, inside) = (member("lead", Role::Manager), member("inside", Role::Rep));
    let outside = house.user(workspace, "outside", Role::Rep);
    let now = house.engine.now_ms();
    for (owner, name) in [(inside, "Mine"), (outside, "Elsewhere")] {
        let contact = house.contact(workspace, head, Some(owner), &[("company", name)]);
        house.edit(
            head,
            contact,
            vec![
                bought(1, &ago(&house, 10), 50_000, "EUR"),
                put(
                    Collection::Deals,
                    1,
                    &[("title", format!("Deal of {name}").into()), ("stage", "offer".into())],
                ),
                put(
                    Collection::Interactions,
                    1,
                    &[
                        ("kind", "survey".into()),
                        ("at", now.into()),
                        ("nps", 9.into()),
                        ("comment", format!("Said {name}").into()),
                    ],
                ),
            ],
        );
    }
    let browser = house.browser(workspace, lead).await;
    browser
        .get("/value")
        .await
        .assert_has("500.00 EUR")
        .assert_lacks("1,000.00 EUR")
        .assert_has("Said Mine")
        .assert_lacks("Elsewhere");
    browser.get("/funnel").await.assert_has("Deal of Mine").assert_lacks("Elsewhere");
    // Somebody of another team can't be chosen: that is everybody, which is one's own.
    browser
        .get(&format!("/funnel?who={outside}"))
        .await
        .assert_has("Deal of Mine")
        .assert_lacks("Elsewhere");
    browser.get("/activity").await.assert_has("inside").assert_lacks("outside");
    let segments = browser.get("/segments").await;
    segments
        .assert_has("1 contact in this segment")
        .assert_has("Only somebody with the whole base");
    let refused = browser.post("/segments/export", &[("filter", "")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_lacks("Mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_did_is_counted_for_them_and_a_visit_that_led_to_an_order_is_a_hit() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let day = 86_400_000;
    let now = house.engine.now_ms();
    let contact = house.contact(house.workspace, manager, Some(manager), &[("company", "Firm")]);
    let interaction = |id: u8, kind: &str, days: i64| {
        put(
            Collection::Interactions,
            id,
            &[("kind", kind.into()), ("at", (now - days * day).into())],
        )
    };
    house.edit(
        manager,
        contact,
        vec![
            interaction(1, "visit", 20),
            interaction(2, "visit", 4),
            interaction(3, "call", 3),
            interaction(4, "visit", 300),
            interaction(5, "note", 1),
            bought(1, &ago(&house, 12), 5_000, "EUR"),
            put(
                Collection::Tasks,
                1,
                &[("text", "Offer".into()), ("due", ago(&house, 2).into()), ("done", true.into())],
            ),
            put(Collection::Tasks, 2, &[("text", "Call".into()), ("due", ago(&house, 1).into())]),
            Command::Set { field: "cadence_days".into(), value: Some(Value::Int(2)) },
        ],
    );
    let page = browser.get("/activity").await;
    page.assert_has("<span class=\"k\">Visits</span><b>2</b>").assert_has("1 call, 0 other");
    page.assert_has("<span class=\"k\">Hit rate</span><b>50 %</b>");
    page.assert_has("1 of 2 due").assert_has("<span class=\"k\">Neglected</span><b>1</b>");
    browser.get("/activity?days=365").await.assert_has("<span class=\"k\">Visits</span><b>3</b>");
    browser.get("/segments?filter=cadence:overdue").await.assert_has("1 contact in this segment");
}
