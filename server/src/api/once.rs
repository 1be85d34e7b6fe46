//! Requests that may be repeated: `Idempotency-Key`.
//!
//! A request is taken down before it is carried out, with what the ids of new things are made from. If
//! the server dies in the middle, the repeated request makes the same ids, and so does nothing twice; if
//! it was answered, the same answer comes again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderName, StatusCode, header};
use roadbook_protocol::ids::{ContactId, EntryId, UnixMs};

use super::call::{Call, Outcome, raw};
use super::problem::Problem;
use crate::store::api_keys::{self, Kept, KeptAnswer};
use crate::store::sql::sha256;

/// The longest name of a request.
const NAME_CHARS_MAX: usize = 128;

/// Requests that are being carried out.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<(String, String)>>>);

struct Turn {
    running: Running,
    which: (String, String),
}

impl Running {
    fn begin(&self, which: (String, String)) -> Option<Turn> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(which.clone()).then(|| Turn { running: self.clone(), which })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.which);
    }
}

/// What ids of new things are made from: the same for a repeated request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    bytes: [u8; 16],
    /// When the request came first.
    pub at: UnixMs,
    /// Whether it may have been carried out before.
    pub again: bool,
}

impl Seed {
    fn random(&self, n: u64) -> [u8; 10] {
        let mut text = self.bytes.to_vec();
        text.extend(n.to_be_bytes());
        let digest = sha256(&text);
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        random
    }
    fn ms(&self) -> u64 {
        u64::try_from(self.at).unwrap_or(0)
    }
    /// The id of a new contact.
    pub(super) fn contact(&self) -> ContactId {
        ContactId::from_time(self.ms(), self.random(0))
    }
    /// The id of the n-th new entry, from 1.
    pub(super) fn entry(&self, n: u64) -> EntryId {
        EntryId::from_time(self.ms(), self.random(n))
    }
}

/// A write that was carried out.
pub(super) struct Done {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
    /// What it was about: where that is erased, the kept answer goes too.
    pub contact: Option<ContactId>,
}

/// Carries a write out; under an `Idempotency-Key` once. An error is not kept: nothing was done, and the
/// request may be tried again under the same name.
pub(super) async fn once<F, W>(call: &Call, work: W) -> Outcome
where
    W: FnOnce(Seed) -> F,
    F: Future<Output = Result<Done, Problem>>,
{
    let (now, bytes) = (call.state.now(), call.state.engine().random());
    let fresh = Seed { bytes, at: now, again: false };
    let Some(name) = call.headers.get("idempotency-key") else {
        let done = work(fresh).await?;
        return Ok(raw(done.status, done.body, &done.headers));
    };
    let name = name
        .to_str()
        .ok()
        .filter(|name| {
            (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
        })
        .ok_or_else(|| {
            Problem::bad_request(
                "`Idempotency-Key` is 1 to 128 visible ASCII characters, such as a UUID.",
            )
        })?
        .to_owned();
    let key = call.access.key.clone();
    let _turn = call.state.0.running.begin((key.clone(), name.clone())).ok_or_else(|| {
        Problem::new(
            "conflict",
            "A request with this Idempotency-Key is still running; wait for its answer.",
        )
        .header(header::RETRY_AFTER, 1)
    })?;
    let if_match = call.header(header::IF_MATCH).unwrap_or_default();
    let request = sha256(
        &[
            call.method.as_str().as_bytes(),
            call.address.as_bytes(),
            if_match.as_bytes(),
            &call.body,
        ]
        .map(sha256)
        .concat(),
    );
    let kept = {
        let (workspace, key, name) = (call.access.workspace, key.clone(), name.clone());
        let new = Kept { request, seed: bytes, at: now, answer: None };
        call.state.write(move |tx| api_keys::begin(tx, workspace, &key, &name, &new)).await?
    };
    if kept.request != request {
        return Err(Problem::new(
            "key-reused",
            "This Idempotency-Key came with another request before; take a new one for a new request.",
        ));
    }
    if let Some(answer) = kept.answer {
        return Ok(again(answer));
    }
    let seed = Seed { bytes: kept.seed, at: kept.at, again: kept.seed != bytes };
    let done = match work(seed).await {
        Ok(done) => done,
        Err(problem) => {
            let forgotten = call.state.write(move |tx| api_keys::give_up(tx, &key, &name)).await;
            return Err(forgotten.err().unwrap_or(problem));
        }
    };
    let pairs: Vec<(&str, &str)> =
        done.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = KeptAnswer {
        status: done.status.as_u16(),
        headers: serde_json::to_string(&pairs).map_err(Problem::failed)?,
        body: done.body.clone(),
    };
    let contact = done.contact;
    call.state.write(move |tx| api_keys::finish(tx, &key, &name, contact, &answer)).await?;
    Ok(raw(done.status, done.body, &done.headers))
}

/// A kept answer.
fn again(answer: KeptAnswer) -> axum::response::Response {
    let pairs: Vec<(String, String)> = serde_json::from_str(&answer.headers).unwrap_or_default();
    let mut headers: Vec<(HeaderName, String)> =
        pairs.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
    headers.push((HeaderName::from_static("idempotency-replayed"), "true".to_owned()));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    raw(status, answer.body, &headers)
}
