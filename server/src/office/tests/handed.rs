//! A segment becomes a list on devices: what is shown before, what is shown after, and to whom.

use roadbook_protocol::ids::ListId;
use roadbook_protocol::wire::LISTS_MAX;

use super::*;
use crate::engine::HandList;
use crate::store::{audit, handed};

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_handed_out_as_a_list_after_a_look_at_it_and_taken_back() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let workspace = house.workspace;
    let nancy = house.user(workspace, "nancy", Role::Rep);
    let olaf = house.user(workspace, "olaf", Role::Rep);
    for (owner, name, status) in [
        (Some(nancy), "Alpha", "customer"),
        (Some(olaf), "Beta", "lead"),
        (Some(nancy), "Gamma", "customer"),
        (None, "Delta", "customer"),
    ] {
        house.contact(workspace, manager, owner, &[("company", name), ("status", status)]);
    }
    let lists = || house.engine.read(|conn| handed::all(conn, workspace)).unwrap();
    let page = browser.get("/segments?filter=status:customer").await;
    page.assert_has("Hand out as a list").assert_has("No list has been handed out");

    // A look at it changes nothing.
    let wanted = [
        ("filter", "status:customer"),
        ("name", "Trade \"fair\""),
        ("to", "nancy"),
        ("to", "olaf"),
    ];
    let look = browser.post("/segments/hand", &wanted).await;
    look.assert_has("Trade &quot;fair&quot;")
        .assert_has("1 contact is held by none of them")
        .assert_has("Hand it to 2 people")
        .assert_lacks("takes the place");
    assert!(lists().is_empty());

    let confirmed = [&wanted[..], &[("confirmed", "1")]].concat();
    browser.post("/segments/hand", &confirmed).await.assert_has("is handed out");
    let [list] = &lists()[..] else { panic!("{:?}", lists()) };
    assert_eq!((list.contacts, list.by), (2, manager));
    assert_eq!(list.to.len(), 2);
    let page = browser.get("/segments").await;
    page.assert_has("Take back the list Trade &quot;fair&quot;").assert_has("to ");

    // Everybody who owns one of them, under the same name: it says what becomes of the other list.
    let again = [("filter", ""), ("name", "trade FAIR"), ("each_owner", "1")];
    let look = browser.post("/segments/hand", &again).await;
    look.assert_has("takes the place").assert_has("nancy").assert_has("olaf");

    for (form, reason) in [
        (&[("filter", ""), ("name", "…"), ("to", "nancy")][..], "up to 80 characters"),
        (&[("filter", ""), ("name", "List")], "Choose to whom"),
        (&[("filter", "statsu:x"), ("name", "List"), ("to", "nancy")], "statsu"),
    ] {
        let refused = browser.post("/segments/hand", form).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
        refused.assert_has(reason);
    }

    browser.post("/segments/take-back", &[("name", "Trade \"fair\"")]).await;
    assert!(lists().is_empty());
    let audited = |action: &str| {
        let asked = audit::Ask { action: Some(action.to_owned()), ..audit::Ask::default() };
        house.engine.read(|conn| audit::count(conn, workspace, &asked)).unwrap()
    };
    assert_eq!((audited("list.hand"), audited("list.back")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_hands_nothing_out() {
    let house = House::new();
    let (manager, _) = house.manager().await;
    let reader = house.user(house.workspace, "reader", Role::ReadOnly);
    house.contact(house.workspace, manager, Some(manager), &[("company", "Alpha")]);
    let browser = house.browser(house.workspace, reader).await;
    browser.get("/segments").await.assert_lacks("Hand out as a list");
    let form = [("filter", ""), ("name", "List"), ("each_owner", "1"), ("confirmed", "1")];
    assert_eq!(browser.post("/segments/hand", &form).await.status, StatusCode::FORBIDDEN);
    let form = [("name", "List")];
    assert_eq!(browser.post("/segments/take-back", &form).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_lists_than_a_device_takes_and_no_list_takes_anothers_place_unseen() {
    let house = House::new();
    let (manager, _) = house.manager().await;
    let (workspace, rep) = (house.workspace, house.user(house.workspace, "rep", Role::Rep));
    let contact = house.contact(workspace, manager, Some(rep), &[("company", "Alpha")]);
    let hand = |name: String, replaces: Option<ListId>| {
        let (to, contacts) = (vec![rep], vec![contact]);
        let list = HandList { name, filter: String::new(), to, contacts, replaces };
        house.engine.hand_list(workspace, manager, list)
    };
    let mut last = None;
    for n in 0..LISTS_MAX {
        let (id, told) = hand(format!("List {n}"), None).unwrap();
        assert_eq!(told.to, [(rep, 1)]);
        last = Some(id);
    }
    let many = hand("One more".to_owned(), None).unwrap_err().to_string();
    assert!(many.contains("101 lists") && many.contains("`rep`"), "{many}");
    let name = format!("LIST {}", LISTS_MAX - 1);
    let taken = hand(name.clone(), None).unwrap_err().to_string();
    assert!(taken.contains("take another name"), "{taken}");
    hand(name, last).unwrap();
    let load = house.engine.read(|conn| handed::load_of(conn, workspace, rep)).unwrap();
    assert_eq!(load, (100, 100), "what was refused left nothing");
}
