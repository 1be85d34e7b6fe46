//! Connections that come, hang, are copied and go.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn of_two_living_sockets_with_one_key_the_second_is_told_that_it_is_a_copy() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut first = phone.connect(house.addr).await;
    first.page().await;
    // The first answers pings while it is polled.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let alive = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = &mut stopped => return first,
                next = first.socket.next() => assert!(matches!(next, Some(Ok(_)))),
            }
        }
    });
    let mut second = phone.knock(house.addr).await;
    assert_eq!(problem_code(&second.refusal().await), ProblemCode::Copied);
    stop.send(()).unwrap();
    let mut first = alive.await.unwrap();
    let (_, changes) = phone.create("goes on");
    phone.upload(&mut first, changes).await;
    drop(first);
    drop(second);
    house.close().await;
}

#[tokio::test]
async fn a_phone_that_lost_its_network_takes_its_place_again() {
    let house = House::open_with(|options| options.sync.probe = Duration::from_millis(200)).await;
    let mut phone = house.phone("ada").await;
    // Nobody reads this socket any more, but it is not closed: pings stay unanswered.
    let mut dead = phone.connect(house.addr).await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    while dead.hear().await.is_some() {}
    let (_, changes) = phone.create("back again");
    phone.upload(&mut line, changes).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_closed_connection_leaves_its_place_at_once() {
    let house = House::open_with(|options| options.sync.probe = Duration::from_secs(3600)).await;
    let mut phone = house.phone("ada").await;
    for _ in 0..3 {
        let mut line = phone.connect(house.addr).await;
        line.page().await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let house = House::open_with(|options| {
        options.sync.ping_after = Duration::from_millis(50);
        options.sync.dead_after = Duration::from_millis(200);
    })
    .await;
    let mut phone = house.phone("ada").await;
    let line = phone.connect(house.addr).await;
    // The client library answers pings only when it is polled; the bare stream does not.
    let mut stream = line.socket.into_inner();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it ends by itself");
    house.close().await;
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_sent_away() {
    let house = House::open().await;
    let mut line = Line::dial(house.addr).await;
    let begun = std::time::Instant::now();
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::Protocol);
    assert!(begun.elapsed() < Duration::from_secs(15));
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_shutdown_sends_receipts_out_says_when_to_come_back_and_closes_with_1012() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    let (_, changes) = phone.create("last minute");
    let batch = phone.batch(changes);
    line.send(batch).await;
    assert_eq!(line.stored().await.batch, 1);
    house.shutdown.cancel();
    let problem = line
        .until(|frame| match frame {
            Frame::Problem(problem) => Some(problem),
            _ => None,
        })
        .await;
    assert_eq!(problem_code(&problem), ProblemCode::Unavailable);
    assert!(problem.retry_after_ms.is_some());
    let closed = tokio::time::timeout(PATIENCE, line.socket.next()).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(frame.code), 1012);
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_full_hall_refuses_a_socket_with_503_and_a_time_to_come_back() {
    let house = House::open_with(|options| options.sync.sockets_max = 1).await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    match Line::try_dial(house.addr).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key("retry-after"));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("there was no room"),
    }
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn probes_and_metrics_answer() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(house.addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get("/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get("/metrics").await;
    for name in
        ["roadbook_sync_devices", "roadbook_engine_commits_durable", "roadbook_sync_frames_total"]
    {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    drop(line);
    house.close().await;
}
