//! What no honest device does. The server answers or closes, and lives.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// The server still serves: a device connects and gets its page.
async fn lives(house: &House, phone: &mut Phone) {
    let mut line = phone.connect(house.addr).await;
    line.page().await;
}

#[tokio::test]
async fn garbage_text_and_unknown_packings_end_the_connection_with_a_reason() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let messages = [
        Message::Binary(vec![0xff; 64].into()),
        Message::Binary(vec![].into()),
        Message::Binary(vec![0, 0x82, 0x01].into()),
        Message::Binary(vec![1, 0x28, 0xb5, 0x2f, 0xfd, 0xff].into()),
        Message::Text("hello".into()),
    ];
    for message in messages {
        let mut line = Line::dial(house.addr).await;
        line.socket.send(message).await.unwrap();
        assert_eq!(problem_code(&line.refusal().await), ProblemCode::Protocol);
    }
    lives(&house, &mut phone).await;
    house.close().await;
}

#[tokio::test]
async fn a_frame_at_the_wrong_time_ends_the_connection() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = Line::dial(house.addr).await;
    let batch = phone.batch(Vec::new());
    line.send(batch).await;
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::Protocol);
    lives(&house, &mut phone).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn an_oversized_message_is_refused_before_it_is_read() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut stream = TcpStream::connect(house.addr).await.unwrap();
    let url = format!("ws://{}/sync", house.addr);
    let (socket, _) = tokio_tungstenite::client_async(url, &mut stream).await.unwrap();
    drop(socket);
    // A frame that says it has 2^62 bytes.
    let mut frame = vec![0x82, 0xff];
    frame.extend((1u64 << 62).to_be_bytes());
    frame.extend([1, 2, 3, 4]);
    stream.write_all(&frame).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    ended.expect("the connection ends").unwrap();
    // A problem came, and a close frame with 1009.
    assert!(rest.windows(2).any(|code| code == 1009u16.to_be_bytes()), "{rest:?}");
    lives(&house, &mut phone).await;
    house.close().await;
}

#[tokio::test]
async fn a_small_block_that_inflates_beyond_the_limit_is_refused() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    line.page().await;
    let mut bomb = vec![1];
    bomb.extend(zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap());
    assert!(bomb.len() < 64 * 1024);
    line.socket.send(Message::Binary(bomb.into())).await.unwrap();
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::Protocol);
    lives(&house, &mut phone).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn ten_thousand_bad_changes_leave_the_rest_untouched() {
    let house = House::open_with(|options| {
        options.sync.messages_per_second = 1e6;
        options.sync.bytes_per_second = 1e9;
    })
    .await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    let (contact, changes) = phone.create("good");
    let good = changes[1].clone();
    phone.upload(&mut line, changes).await;
    for round in 0..10u32 {
        let bad = (0..1000u32)
            .map(|n| {
                let mut bytes = good.bytes.clone();
                let at = (n * 7 + round) as usize % bytes.len();
                bytes[at] ^= 1 + (n % 255) as u8;
                UpChange { contact, bytes }
            })
            .collect();
        let batch = phone.batch(bad);
        line.send(batch).await;
        assert_eq!(line.stored().await.exceptions.len(), 1000);
    }
    let (_, change) = phone.edit(contact, "still good");
    phone.upload(&mut line, vec![change]).await;
    house.engine(|engine| assert!(engine.check().unwrap().is_clean())).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn ten_thousand_unknown_frames_are_slowed_down_and_harm_nobody() {
    let house = House::open_with(|options| {
        options.sync.messages_burst = 100.0;
        options.sync.messages_per_second = 20_000.0;
    })
    .await;
    let mut phone = house.phone("ada").await;
    let mut other = house.phone("bob").await;
    let line = phone.connect(house.addr).await;
    let begun = std::time::Instant::now();
    let (mut sink, mut stream) = line.socket.split();
    let flood = tokio::spawn(async move {
        for _ in 0..10_000 {
            // Type 999, an empty body.
            let message = vec![0, 0x82, 0x19, 0x03, 0xe7, 0xa0];
            if sink.send(Message::Binary(message.into())).await.is_err() {
                panic!("the flood is slowed down, not cut");
            }
        }
        sink
    });
    lives(&house, &mut other).await;
    let mut sink = flood.await.unwrap();
    // All were read: the answer to what comes after them arrives.
    sink.send(Message::Binary(wire::encode(&phone.batch(Vec::new()).into()).into())).await.unwrap();
    loop {
        let next = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
        let Some(Ok(message)) = next else { panic!("the connection was cut") };
        if let Message::Binary(bytes) = message
            && let Frame::Stored(_) = wire::decode(&bytes, &Limits::DEFAULT).unwrap()
        {
            break;
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    drop((sink, stream));
    house.close().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_cut() {
    let house = House::open().await;
    let mut phone = house.phone("ada").await;
    let mut line = phone.connect(house.addr).await;
    for _ in 0..1000 {
        if line.socket.send(Message::Ping(vec![1].into())).await.is_err() {
            break;
        }
    }
    assert_eq!(problem_code(&line.refusal().await), ProblemCode::RateLimited);
    lives(&house, &mut phone).await;
    drop(line);
    house.close().await;
}

#[tokio::test]
async fn a_plain_request_to_the_socket_is_told_what_is_expected() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.addr).await.unwrap();
    stream.write_all(b"GET /sync HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    house.close().await;
}
