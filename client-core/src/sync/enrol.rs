//! A one-time code becomes a device.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{self, Enrol, Frame, PROTOCOL, Problem, ProblemCode};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::address::Address;
use super::connect::connect;
use super::dates::Time;
use super::engine::SyncOptions;
use super::tls::{Fingerprint, Trust};
use crate::binding::Binding;
use crate::error::{Error, Result};
use crate::replica::Replica;

pub use crate::binding::Enrolled;

/// How long the server may take to redeem a code.
const ANSWER: Duration = Duration::from_secs(10);

/// Enrols the replica with a one-time code that the office gave out. It makes a new device key;
/// what was edited under an earlier enrolment of the same user is kept and authored anew.
///
/// `fingerprint` pins the key of a server whose certificate no authority has signed.
///
/// # Errors
/// [`Error::Refused`] with the code `code_refused`, [`Error::Offline`], [`Error::Untrusted`],
/// [`Error::Address`], [`Error::NotAllowed`] where the replica belongs to somebody else.
pub async fn enrol(
    replica: &Replica,
    url: &str,
    code: &str,
    fingerprint: Option<&str>,
    device_name: &str,
) -> Result<Enrolled> {
    enrol_with(replica, url, code, fingerprint, device_name, &SyncOptions::default()).await
}

/// The same, with other authorities than the system's.
///
/// # Errors
/// As [`enrol`].
pub async fn enrol_with(
    replica: &Replica,
    url: &str,
    code: &str,
    fingerprint: Option<&str>,
    device_name: &str,
    options: &SyncOptions,
) -> Result<Enrolled> {
    let address = Address::parse(url)?;
    let pin = fingerprint.map(Fingerprint::parse).transpose()?;
    // No server has said what the time is: what this device believes has to do, and nothing is let
    // pass because of it.
    let time = Time { at: replica.now_ms(), wall_is_wrong: false };
    let trust = Trust { pin, authorities: options.authorities(), time };
    let (mut socket, _) = connect(&address, &trust).await?;
    let (owner, code, name) = (replica.clone(), code.to_owned(), device_name.to_owned());
    let (enrolment, request) =
        super::blocking(move || Enrolment::begin(&owner, &code, &name)).await?;
    let lost = |reason: String| Error::Offline { reason };
    socket
        .send(Message::Binary(wire::encode(&request.into()).into()))
        .await
        .map_err(|error| lost(error.to_string()))?;
    let answer = timeout(ANSWER, async {
        while let Some(message) = socket.next().await {
            if let Message::Binary(bytes) = message.map_err(|error| lost(error.to_string()))? {
                return wire::decode(&bytes, &Limits::DEFAULT)
                    .map_err(|error| lost(error.to_string()));
            }
        }
        Err(lost("the server closed the connection without an answer".into()))
    })
    .await
    .map_err(|_| lost("the server did not answer in time".into()))??;
    let granted = match answer {
        Frame::Enrolled(granted) => granted,
        Frame::Problem(problem) => return Err(refused(problem)),
        other => return Err(lost(format!("the server answered {} to an enrolment", other.name()))),
    };
    let (url, pin) = (address.shown(), pin.map(|pin| pin.to_string()));
    let enrolled = super::blocking(move || enrolment.finish(granted, url, pin)).await?;
    // The server closes first; a failing goodbye changes nothing.
    let _ = socket.close(None).await;
    Ok(enrolled)
}

/// An enrolment under way: for those who bring a transport of their own.
pub struct Enrolment {
    replica: Replica,
    device_name: String,
}

impl Enrolment {
    /// Makes a new device key and the request to send; the server answers it with
    /// [`Frame::Enrolled`]. Nothing of the replica changes before [`Self::finish`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn begin(replica: &Replica, code: &str, device_name: &str) -> Result<(Enrolment, Enrol)> {
        replica.may_enrol()?;
        let key = replica.inner.home.new_key()?;
        let options = SyncOptions::default();
        let public_key = key.public().to_vec();
        let request = Enrol {
            protocol: PROTOCOL,
            code: code.trim().to_owned(),
            algorithm: key.algorithm(),
            signature: key.sign(&wire::enrolment_text(code, &public_key))?,
            public_key,
            name: device_name.to_owned(),
            app: options.app,
            platform: options.platform,
        };
        Ok((Enrolment { replica: replica.clone(), device_name: device_name.to_owned() }, request))
    }

    /// Binds the replica to what the server granted. Durable.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] where the replica belongs to somebody else, or what the disk says.
    pub fn finish(
        self,
        granted: wire::Enrolled,
        server_url: String,
        pin: Option<String>,
    ) -> Result<Enrolled> {
        let Enrolment { replica, device_name } = self;
        replica.bind(&Binding { granted, server_url, pin, device_name })
    }
}

/// The stable short code of what the server said.
pub(crate) fn code_name(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::Unauthorized => "unauthorized",
        ProblemCode::Revoked => "revoked",
        ProblemCode::Copied => "copied",
        ProblemCode::Protocol => "protocol",
        ProblemCode::RateLimited => "rate_limited",
        ProblemCode::Unavailable => "unavailable",
        ProblemCode::CodeRefused => "code_refused",
        ProblemCode::ActorTaken => "actor_taken",
        ProblemCode::Internal => "internal",
        ProblemCode::MinimumVersion => "minimum_version",
    }
}

/// What the server said, as an error.
pub(crate) fn refused(problem: Problem) -> Error {
    Error::Refused {
        code: code_name(problem.code).to_owned(),
        message: problem.message,
        retry_after_ms: problem.retry_after_ms,
    }
}
