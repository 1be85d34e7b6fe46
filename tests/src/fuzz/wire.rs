//! Messages of a websocket.

use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{Frame, decode, decode_from_device, encode, inflated_bytes, plain};

/// Any message, as it is and as the inside of a plain one: what is a frame survives being written and
/// read again, and what a device may say is what anybody may say.
pub fn frame(data: &[u8]) {
    check(data);
    check(&[&[0], data].concat());
}

fn check(message: &[u8]) {
    let limits = Limits { message_bytes_max: 1 << 20, ..Limits::DEFAULT };
    let _ = inflated_bytes(message);
    let _ = plain(message, &limits);
    let any = decode(message, &limits);
    match (decode_from_device(message, &limits), &any) {
        (Ok(frame), Ok(any)) => assert_eq!(&frame, any),
        (Ok(frame), Err(error)) => panic!("{frame:?} from a device, else {error}"),
        (Err(_), _) => {}
    }
    let Ok(frame) = any else { return };
    // Written again it may be a little larger: lengths are written in one way only.
    let wider = Limits {
        message_bytes_max: 64 << 20,
        message_inflated_bytes_max: 64 << 20,
        ..Limits::DEFAULT
    };
    let again = decode(&encode(&frame), &wider).expect("what was written can be read");
    assert_eq!(frame, again);
    assert!(matches!(frame, Frame::Unknown(_)) || frame.name() != "Unknown");
}
