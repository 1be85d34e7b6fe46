//! Signatures as in the Standard Webhooks specification: HMAC-SHA256 over id, time and body.
//!
//! The secret of a webhook is derived from the workspace's signing key and the webhook's id: it is nowhere
//! stored, a backup of the database does not hold it, and a new signing key means new secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use roadbook_protocol::ids::WorkspaceId;

use crate::engine::{Engine, EngineError};
use crate::store::sql::sha256;

/// What stands in front of what the workspace's key signs for this.
const DOMAIN: &str = "roadbook webhook 1\0";

/// The secret of a webhook.
pub(super) fn secret(
    engine: &Engine,
    workspace: WorkspaceId,
    webhook: &str,
) -> Result<[u8; 32], EngineError> {
    // Ed25519 signs the same text always the same, and nobody else can.
    let signature = engine.sign(workspace, format!("{DOMAIN}{webhook}").as_bytes())?;
    Ok(sha256(&signature))
}

/// The secret as it is given to its receiver.
pub(super) fn secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

/// The value of `webhook-signature`.
pub(super) fn signature(secret: &[u8], id: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of the reference libraries, computed anew with Python's hmac.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(secret_text(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
