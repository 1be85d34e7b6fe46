//! What is held back from a device that is given unusually much, and what goes on meanwhile.

use roadbook_protocol::wire::Fetch;

use super::*;
use crate::engine::{Assign, Limit, Reading};
use crate::store::alerts;

/// Fetches one contact in a first sync of its own; whether it came.
async fn fetch_anew(phone: &mut Phone, house: &House, contact: ContactId) -> Result<Line, Line> {
    phone.timeline = None;
    let mut line = phone.connect(house.addr).await;
    line.send(Fetch { request: 1, contacts: vec![contact] }).await;
    let came = line
        .until(|frame| match frame {
            Frame::Fetched(fetched) => Some(!fetched.items[0].snapshot.is_empty()),
            Frame::Problem(problem) => {
                assert_eq!(
                    (problem_code(&problem), problem.fatal),
                    (ProblemCode::RateLimited, false)
                );
                assert!(problem.message.contains("volume lift ada"), "{problem:?}");
                assert!(problem.retry_after_ms > Some(60_000), "{problem:?}");
                Some(false)
            }
            _ => None,
        })
        .await;
    if came { Ok(line) } else { Err(line) }
}

#[tokio::test]
async fn a_base_that_is_led_through_one_phone_is_held_back_and_managers_are_told() {
    let house = House::open().await;
    let (mut phone, other) = (house.phone("ada").await, house.phone("bob").await);
    let mut line = phone.connect(house.addr).await;
    let page = line.page().await;
    phone.confirm(&mut line, &page).await;
    let mut made = Vec::new();
    for _ in 0..6 {
        let (contact, changes) = phone.create("Marker");
        phone.upload(&mut line, changes).await;
        made.push(contact);
    }
    drop(line);
    let (workspace, user) = (house.workspace, phone.enrolled.user);
    let limit = Limit { contacts: 1, hours: 24 };
    house
        .engine(move |engine| {
            engine.set_volume_limit(workspace, None, Reading::Device, limit).unwrap()
        })
        .await;

    // Five come, and go to somebody else. A link that breaks off does not count: each comes twice.
    let contact = made.pop().unwrap();
    for &one in made.iter().chain(&made) {
        assert!(fetch_anew(&mut phone, &house, one).await.is_ok(), "{one}");
    }
    let owner = Some(Some(other.enrolled.user));
    house
        .engine(move |engine| {
            let assign = Assign { contacts: made, owner, ..Assign::default() };
            engine.assign(workspace, None, assign).unwrap();
        })
        .await;
    // Five times what the user holds has come, however low the limit is; then no more.
    let Err(mut line) = fetch_anew(&mut phone, &house, contact).await else {
        panic!("the sixth was not held back");
    };
    assert!(!line.heard("Marker"));
    let raised = house
        .engine(move |engine| engine.read(|conn| alerts::list(conn, workspace, false, 10)).unwrap())
        .await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!((raised[0].how.as_str(), raised[0].user), ("device", Some(user)));
    assert_eq!((raised[0].device, raised[0].contacts), (Some(phone.enrolled.device), 6));

    // Edits are taken all the while, on this connection too.
    let (_, change) = phone.edit(contact, "Edited");
    let batch = phone.batch(vec![change]);
    line.send(batch).await;
    assert_eq!(not_merged(&line.stored().await), Vec::<&Exception>::new());

    // Lifted, the device is led to a new connection, and gets it.
    house.engine(move |engine| engine.lift_volume(workspace, None, user).unwrap()).await;
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::Unavailable);
    let Ok(line) = fetch_anew(&mut phone, &house, contact).await else { panic!("still held back") };
    assert!(line.heard("Marker"));
    drop(line);
    house.close().await;
}
