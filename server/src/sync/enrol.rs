//! Enrolment: a one-time code makes a new device of a key.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use roadbook_protocol::ids::DeviceId;
use roadbook_protocol::wire::{
    Enrol, Enrolled, KeyAlgorithm, Problem, ProblemCode, enrolment_text, verify,
};
use rusqlite::Transaction;

use super::hub::Hub;
use super::jobs::{failed, on_blocking_pool};
use crate::engine::Engine;
use crate::store::devices::{Device, create_device, device_of_key};
use crate::store::people::{self, Purpose, User, redeem_code};
use crate::store::{EngineError, Result, audit, workspaces};

/// Every refusal takes this long, whatever it was that did not fit.
const REFUSAL_TIME: Duration = Duration::from_millis(300);
/// What a device may say of itself.
const TEXT_CHARS_MAX: usize = 120;

/// Redeems the code of an `Enrol` frame, and makes the device.
///
/// # Errors
/// The problem to tell: the same for a code that is wrong, used or too old.
pub(super) async fn enrol(hub: Hub, ip: IpAddr, enrol: Enrol) -> Result<Box<Enrolled>, Problem> {
    if hub.enrolment_is_blocked(ip) {
        metrics::counter!("roadbook_enrolments_total", "outcome" => "rate_limited").increment(1);
        return Err(problem(
            ProblemCode::RateLimited,
            "too many wrong codes came from this address; try again in a minute",
            Some(Duration::from_secs(60)),
        ));
    }
    let begun = Instant::now();
    let engine = hub.engine().clone();
    let made = on_blocking_pool(&hub.reads(), move || grant(&engine, enrol)).await;
    match made {
        Ok(enrolled) => {
            metrics::counter!("roadbook_enrolments_total", "outcome" => "enrolled").increment(1);
            Ok(Box::new(enrolled))
        }
        Err(EngineError::Refused { code, .. }) => {
            metrics::counter!("roadbook_enrolments_total", "outcome" => "refused").increment(1);
            tracing::info!(code, "an enrolment was refused");
            hub.enrolment_refused(ip);
            tokio::time::sleep(REFUSAL_TIME.saturating_sub(begun.elapsed())).await;
            Err(problem(
                ProblemCode::CodeRefused,
                "the code is wrong, used or older than its time: ask your admin for a new one",
                None,
            ))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Redeems the code of an `Enrol` frame, and makes the device of its key. Durable.
///
/// # Errors
/// [`EngineError::Refused`] for a signature or a code that does not fit, and what the database says.
pub fn grant(engine: &Engine, enrol: Enrol) -> Result<Enrolled> {
    let text = enrolment_text(&enrol.code, &enrol.public_key);
    if !key_fits(&enrol) || !verify(enrol.algorithm, &enrol.public_key, &text, &enrol.signature) {
        let reason = "the signature does not fit".to_owned();
        return Err(EngineError::Refused { code: "signature", reason });
    }
    let device = DeviceId::from_random(engine.random());
    let now = engine.now_ms();
    let enrolled: Enrolled = engine.write(move |tx| redeem(tx, &enrol, device, now))?;
    let sealing = Some(engine.sealing_key(enrolled.workspace)?);
    let certificate = engine.certificate(enrolled.workspace, enrolled.device)?;
    Ok(Enrolled { sealing, certificate, ..enrolled })
}

fn key_fits(enrol: &Enrol) -> bool {
    enrol.public_key.len()
        == match enrol.algorithm {
            KeyAlgorithm::Ed25519 => 32,
            KeyAlgorithm::EcdsaP256 => 65,
        }
}

fn redeem(tx: &Transaction<'_>, enrol: &Enrol, id: DeviceId, now: i64) -> Result<Enrolled> {
    let user = match redeem_code(tx, &enrol.code, Purpose::Enrol, now) {
        Ok(user) => user,
        Err(refused @ EngineError::Refused { code: "code_used", .. }) => {
            // The connection may have ended before the answer arrived. The signature proved the key,
            // so the device learns nothing that it was not told before.
            let device = device_of_key(tx, &enrol.public_key)?.ok_or(refused)?;
            let user = people::user(tx, device.workspace, device.user)?;
            return enrolled(tx, user, device.id);
        }
        Err(error) => return Err(error),
    };
    let device = Device {
        workspace: user.workspace,
        id,
        user: user.id,
        algorithm: enrol.algorithm,
        public_key: enrol.public_key.clone(),
        name: short(&enrol.name),
        platform: short(&enrol.platform),
        app: short(&enrol.app),
        created_at: now,
        last_seen: None,
        revoked_at: None,
        unsent: 0,
        cursor: 0,
        missing: 0,
    };
    create_device(tx, &device)?;
    // Not its name, which may be a person's.
    let detail = serde_json::json!({ "platform": device.platform });
    audit::append(
        tx,
        user.workspace,
        now,
        Some(user.id),
        "device.enrol",
        &id.to_string(),
        &detail,
    )?;
    enrolled(tx, user, id)
}

fn enrolled(tx: &Transaction<'_>, user: User, device: DeviceId) -> Result<Enrolled> {
    let workspace = workspaces::find(tx, user.workspace)?;
    Ok(Enrolled {
        workspace: workspace.id,
        workspace_name: workspace.name,
        device,
        user: user.id,
        login: user.login,
        user_name: user.name,
        workspace_key: workspace.public_key,
        sealing: None,
        certificate: Vec::new(),
    })
}

/// What a device says of itself is shown to managers: one line, not too long.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn problem(code: ProblemCode, message: &str, retry_after: Option<Duration>) -> Problem {
    Problem {
        code,
        message: message.into(),
        retry_after_ms: retry_after.map(|wait| wait.as_millis() as u64),
        fatal: true,
        actors: Vec::new(),
    }
}
