use super::*;
use crate::ids::{ContactId, TimelineId};

#[test]
fn a_frame_survives_the_way_there_and_back() {
    let frame = Frame::from(Changes {
        batch: 7,
        changes: (0..40u8)
            .map(|n| UpChange { contact: ContactId::from_bytes([n; 16]), bytes: vec![n; 90] })
            .collect(),
        unsent: 3,
    });
    let message = encode(&frame);
    assert_eq!(message[0], ZSTD, "a large frame is compressed");
    assert!(message.len() < 1000);
    assert_eq!(decode(&message, &Limits::DEFAULT), Ok(frame));
}

#[test]
fn the_bytes_of_a_frame_do_not_change_between_versions() {
    let frame = Frame::from(Stored {
        batch: 3,
        exceptions: vec![Exception {
            index: 1,
            fate: Fate::Quarantined,
            code: "not_yours".into(),
            reason: String::new(),
        }],
    });
    let golden = "0082184 3a2000301 81a4000101 0202696e6f745f796f7572730360".replace(' ', "");
    assert_eq!(hex::encode(encode(&frame)), golden);
}

#[test]
fn an_unknown_frame_and_an_unknown_field_are_tolerated() {
    // [999, {0: 1}]
    assert_eq!(
        decode(&[PLAIN, 0x82, 0x19, 0x03, 0xe7, 0xa1, 0x00, 0x01], &Limits::DEFAULT),
        Ok(Frame::Unknown(999))
    );
    // Applied [6, {0: 5, 77: "new"}]
    assert_eq!(
        decode(
            &[PLAIN, 0x82, 0x06, 0xa2, 0x00, 0x05, 0x18, 77, 0x63, b'n', b'e', b'w'],
            &Limits::DEFAULT
        ),
        Ok(Frame::from(Applied { cursor: 5, unsent: 0, missing: 0 }))
    );
}

#[test]
fn a_bomb_is_refused_before_it_is_inflated() {
    let bomb = zstd::bulk::compress(&vec![0u8; 64 << 20], 3).unwrap();
    assert!(bomb.len() < 10_000);
    let mut message = vec![ZSTD];
    message.extend(bomb);
    assert!(matches!(
        decode(&message, &Limits::DEFAULT),
        Err(WireError::TooLarge { bytes, .. }) if bytes == 64 << 20
    ));
}

#[test]
fn a_list_that_claims_to_be_endless_is_an_error() {
    // [4, {0: 1, 1: [array of 2^62 ...
    let message = [PLAIN, 0x82, 0x04, 0xa2, 0x00, 0x01, 0x01, 0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0];
    assert!(matches!(decode(&message, &Limits::DEFAULT), Err(WireError::Malformed(_))));
}

#[test]
fn every_prefix_of_a_message_is_an_error_and_no_panic() {
    let frame = Frame::from(Page {
        cursor: 12,
        items: vec![PageItem {
            contact: ContactId::from_bytes([1; 16]),
            access: Access::Owner,
            owner: None,
            epoch: 2,
            changes: vec![vec![1, 2, 3]],
            snapshot: vec![],
            row: String::new(),
            heads: vec![automerge::ChangeHash([9; 32])],
            signed: None,
            generation: None,
        }],
        more: false,
        seal: None,
    });
    let message = encode(&frame);
    for end in 0..message.len() {
        assert!(decode(&message[..end], &Limits::DEFAULT).is_err(), "prefix of {end} bytes");
    }
    let _ = TimelineId::from_bytes([0; 16]);
}

#[test]
fn what_only_servers_send_is_not_decoded_from_a_device() {
    let stored = encode(&Stored { batch: 1, exceptions: Vec::new() }.into());
    assert!(decode(&stored, &Limits::DEFAULT).is_ok());
    assert_eq!(decode_from_device(&stored, &Limits::DEFAULT), Err(WireError::Direction(67)));
    // A type that nobody knows may be a later version's.
    let unknown = [0, 0x82, 0x19, 0x03, 0xe7, 0xa0];
    assert_eq!(decode_from_device(&unknown, &Limits::DEFAULT), Ok(Frame::Unknown(999)));
}

#[test]
fn lists_of_things_that_are_small_on_the_wire_and_large_in_memory_are_counted() {
    let hello = |words: usize| {
        encode(
            &Hello {
                protocol: 1,
                workspace: WorkspaceId::from_bytes([1; 16]),
                device: DeviceId::from_bytes([2; 16]),
                app: String::new(),
                platform: String::new(),
                capabilities: vec![String::new(); words],
                certificate: Vec::new(),
            }
            .into(),
        )
    };
    assert!(decode(&hello(64), &Limits::DEFAULT).is_ok());
    assert!(matches!(decode(&hello(65), &Limits::DEFAULT), Err(WireError::Malformed(_))));
    let bomb = hello(1_000_000);
    assert!(bomb.len() < 1_000);
    assert!(inflated_bytes(&bomb) > 1_000_000);
    assert!(matches!(decode(&bomb, &Limits::DEFAULT), Err(WireError::Malformed(_))));
    let small = Limits { message_inflated_bytes_max: 1_000, ..Limits::DEFAULT };
    assert!(matches!(decode(&bomb, &small), Err(WireError::TooLarge { .. })));
    let plain = [&[0][..], &[0; 1_001]].concat();
    assert!(matches!(decode(&plain, &small), Err(WireError::TooLarge { bytes: 1_001, .. })));
}
