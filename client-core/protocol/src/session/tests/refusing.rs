//! What ends a session: a stall, a frame out of place.

use super::*;

#[test]
fn a_handshake_that_stalls_is_ended() {
    let mut server = ServerSession::new(0, ServerOptions::default());
    assert!(server.handle(HANDSHAKE_MS_MAX, ServerEvent::Tick).is_empty());
    let effects = server.handle(HANDSHAKE_MS_MAX + 1, ServerEvent::Tick);
    assert!(matches!(effects[..], [ServerEffect::Send(_), ServerEffect::Close { code: 1008 }]));
}

#[test]
fn frames_out_of_place_are_refused_with_the_place() {
    let mut server = ServerSession::new(0, ServerOptions::default());
    let effects = server.handle(
        0,
        ServerEvent::Received(crate::wire::Applied { cursor: 1, unsent: 0, missing: 0 }.into()),
    );
    let [ServerEffect::Send(Frame::Problem(problem)), ServerEffect::Close { .. }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(problem.code, ProblemCode::Protocol);
    assert!(problem.message.contains("Applied is out of place while waiting for Hello"));
}
