//! What the session asks for, carried out: frames to the socket, questions to the engine, and what
//! comes back from there.

use std::future::Future;
use std::time::Instant;

use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::session::{LoadedPage, Outcome, ServerEffect, ServerEvent};
use roadbook_protocol::wire::{
    ChangeFate, Decide, Decided, Directory, Dropped, DropsKnown, Erasures, Frame, Lists, OfferItem,
    ProblemCode, Proposals, UpChange, WireError,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::driver::{Driver, Leaving, problem};
use super::enrol;
use super::gate::{self, Gated};
use super::hub::Seat;
use super::jobs;
use super::offers::Offers;
use super::service::{self, FetchPart, Identity, Knock};
use crate::engine::{AppendRequest, Appended, Held, SealedBy};
use crate::store::devices::Seen;
use crate::store::{EngineError, Result};

/// Refused changes that are kept for one connection. One that sends more has nothing to say that is
/// worth the disk; the device keeps them all the same.
const REFUSED_KEPT_MAX: usize = 1_000;

/// What a job brought.
pub(super) enum Done {
    Event(ServerEvent),
    Decoded(Result<Frame, WireError>),
    LookedUp { who: Identity, minimum_app: Option<String>, event: ServerEvent },
    Opened(Box<(Seat, Seen, ServerEvent)>),
    Gated { batch: u64, gated: Gated },
    Appended { refused: Vec<Option<Outcome>>, appended: Appended },
    Registered(Vec<Actor>),
    DropsNoted(DropsKnown),
    Proposals(Option<Vec<Proposals>>),
    Lists(Option<Vec<Lists>>),
    Decided(Decided),
    Offered(Box<(Offers, u64, Result<Vec<ChangeFate>>)>),
    Directory(Directory),
    Erasures(Option<Erasures>),
    Page(Option<LoadedPage>),
    Fetched { request: u64, part: FetchPart },
    Held(Box<Held>),
    Failed(EngineError),
}

/// Where a connection stands with the list of late edits.
#[derive(Default)]
pub(super) struct ProposalsState {
    loading: bool,
    /// Something of it has changed while it was loaded.
    again: bool,
    /// The device was told last that there are none.
    told_none: bool,
}

/// Where a connection stands with the lists of its user.
#[derive(Default)]
pub(super) struct ListsState {
    loading: bool,
    /// They may have changed while they were loaded.
    again: bool,
}

/// What goes to the engine in the order in which it came.
pub(super) enum Lane {
    Actors(Vec<Actor>),
    Batch { batch: u64, changes: Vec<UpChange> },
    Offer { offer: u64, items: Vec<OfferItem> },
    Dropped(Dropped),
    Decide(Decide),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<S> {
    /// Carries one effect out.
    pub(super) fn effect(&mut self, effect: ServerEffect) {
        let hub = self.hub.clone();
        match (effect, self.who) {
            (ServerEffect::Send(frame), _) => self.send(frame),
            (ServerEffect::Close { code }, _) => self.close(code),
            (ServerEffect::Lookup { workspace, device, certificate }, _) => self.job(async move {
                Ok(match jobs::lookup(hub, workspace, device, certificate).await? {
                    Some((record, minimum_app)) => Done::LookedUp {
                        who: Identity { workspace, device, user: record.user },
                        minimum_app,
                        event: ServerEvent::Device(Some(record)),
                    },
                    None => Done::Event(ServerEvent::Device(None)),
                })
            }),
            (ServerEffect::Enrol(frame), _) => {
                let ip = self.peer.client;
                self.job(async move {
                    Ok(Done::Event(ServerEvent::Enrolled(enrol::enrol(hub, ip, *frame).await)))
                });
            }
            (
                ServerEffect::Open { actors, timeline, cursor, app, platform, certify, .. },
                Some(who),
            ) => {
                let seen = Seen {
                    app: Some(enrol::short(&app)),
                    platform: Some(enrol::short(&platform)),
                    ..Seen::default()
                };
                self.job(async move {
                    Ok(
                        match jobs::open(hub, Knock { who, actors, timeline, cursor, certify })
                            .await
                        {
                            Ok((seat, opening)) => Done::Opened(Box::new((
                                seat,
                                seen,
                                ServerEvent::Opened(Ok(opening)),
                            ))),
                            Err(problem) => Done::Event(ServerEvent::Opened(Err(problem))),
                        },
                    )
                });
            }
            (ServerEffect::Append { batch, changes }, Some(_)) => {
                metrics::counter!("roadbook_sync_batches_total").increment(1);
                metrics::counter!("roadbook_sync_changes_total").increment(changes.len() as u64);
                self.appending += 1;
                self.lane.push_back(Lane::Batch { batch, changes });
                self.advance();
            }
            (ServerEffect::Offer { offer, items }, Some(_)) => {
                self.lane.push_back(Lane::Offer { offer, items });
                self.advance();
            }
            (ServerEffect::Dropped(dropped), Some(_)) => {
                self.lane.push_back(Lane::Dropped(dropped));
                self.advance();
            }
            (ServerEffect::Decide(decide), Some(_)) => {
                self.lane.push_back(Lane::Decide(decide));
                self.advance();
            }
            (ServerEffect::RegisterActors(actors), Some(_)) => {
                self.lane.push_back(Lane::Actors(actors));
                self.advance();
            }
            (ServerEffect::LoadPage { since }, Some(who)) => {
                let own = self.receipts.own();
                self.job(async move {
                    Ok(match jobs::page(hub, who, since, own).await? {
                        Some(Ok(page)) => Done::Page(Some(page)),
                        Some(Err(held)) => Done::Held(Box::new(held)),
                        None => Done::Page(None),
                    })
                });
            }
            (ServerEffect::LoadManifest, Some(who)) => {
                self.job(async move { jobs::manifest(hub, who).await.map(Done::Event) });
            }
            (ServerEffect::LoadRepair(heads), Some(who)) => {
                self.job(async move { jobs::repair(hub, who, heads).await.map(Done::Event) });
            }
            (ServerEffect::LoadFetch { request, contacts }, Some(who)) => self.job(async move {
                Ok(match jobs::fetch(hub, who, contacts).await? {
                    Ok(part) => Done::Fetched { request, part },
                    Err(held) => Done::Held(Box::new(held)),
                })
            }),
            (ServerEffect::LoadFates(pending), Some(who)) => {
                self.job(async move { jobs::fates(hub, who, pending).await.map(Done::Event) });
            }
            (ServerEffect::LoadErasures, Some(who)) => self.erasures(who, Vec::new()),
            (ServerEffect::Purged(contacts), Some(who)) => self.erasures(who, contacts),
            (ServerEffect::LoadDirectory, Some(who)) => {
                self.job(async move { jobs::directory(hub, who).await.map(Done::Directory) });
            }
            (ServerEffect::LoadProposals, Some(who)) => self.load_proposals(who),
            (ServerEffect::LoadLists { known }, Some(who)) => self.load_lists(who, known),
            (ServerEffect::LoadWipeOrder, Some(who)) => {
                self.job(async move { jobs::wipe_order(hub, who).await.map(Done::Event) });
            }
            (ServerEffect::StoreSealed(sealed), Some(who)) => {
                self.job(
                    async move { jobs::store_sealed(hub, who, sealed).await.map(Done::Event) },
                );
            }
            (ServerEffect::NoteWiped(wiped), Some(who)) => {
                self.job(async move { jobs::note_wiped(hub, who, wiped).await.map(Done::Event) });
            }
            (ServerEffect::Touch { cursor, unsent, missing }, Some(_)) => {
                self.note(Seen { cursor, unsent: Some(unsent), missing, ..Seen::default() });
            }
            // The session asks for none of these before a device was looked up.
            (_, None) => debug_assert!(false, "an effect without a device"),
        }
    }

    /// Notes what the device has purged, and tells it what it has still to purge.
    fn erasures(&mut self, who: Identity, purged: Vec<ContactId>) {
        let hub = self.hub.clone();
        self.job(async move { jobs::erasures(hub, who, purged).await.map(Done::Erasures) });
    }

    /// Loads the list of late edits; one at a time, so that the list that comes last is the newest.
    fn load_proposals(&mut self, who: Identity) {
        if std::mem::replace(&mut self.proposals.loading, true) {
            self.proposals.again = true;
            return;
        }
        let hub = self.hub.clone();
        self.job(async move { jobs::proposals(hub, who).await.map(Done::Proposals) });
    }

    fn proposals_loaded(&mut self, parts: Option<Vec<Proposals>>) {
        let Some(parts) = parts else { return self.revoked() };
        self.proposals.loading = false;
        let empty = parts.iter().all(|part| part.sets.is_empty() && part.left_out == 0);
        // Nothing after nothing is no news.
        if !(std::mem::replace(&mut self.proposals.told_none, empty) && empty) {
            self.event(ServerEvent::Proposals(parts));
        }
        if std::mem::take(&mut self.proposals.again) && self.session.wants_proposals() {
            self.effect(ServerEffect::LoadProposals);
        }
    }

    /// Loads the lists of the user; one at a time, so that those that come last are the newest.
    fn load_lists(&mut self, who: Identity, known: Option<u64>) {
        if std::mem::replace(&mut self.lists.loading, true) {
            self.lists.again = true;
            return;
        }
        let hub = self.hub.clone();
        self.job(async move { jobs::lists(hub, who, known).await.map(Done::Lists) });
    }

    fn lists_loaded(&mut self, parts: Option<Vec<Lists>>) {
        let Some(parts) = parts else { return self.revoked() };
        self.lists.loading = false;
        self.event(ServerEvent::Lists(parts));
        if std::mem::take(&mut self.lists.again)
            && let Some(load) = self.session.load_lists()
        {
            self.effect(load);
        }
    }

    /// Does something beside the loop; a failure of ours ends the connection.
    pub(super) fn job(&mut self, job: impl Future<Output = Result<Done>> + Send + 'static) {
        self.jobs.push(Box::pin(async move { job.await.unwrap_or_else(Done::Failed) }));
    }

    /// Starts the next thing that has to reach the engine in order, if none is under way.
    fn advance(&mut self) {
        let Some(who) = self.who.filter(|_| !self.lane_busy) else { return };
        let Some(next) = self.lane.pop_front() else { return };
        self.lane_busy = true;
        let hub = self.hub.clone();
        match next {
            Lane::Actors(actors) => self.job(async move {
                let engine = hub.engine().clone();
                let register = move || service::register(&engine, who, actors);
                jobs::on_blocking_pool(&hub.reads(), register).await.map(Done::Registered)
            }),
            Lane::Batch { batch, changes } => {
                let limits = hub.options().limits;
                self.job(async move {
                    let judge = move || Ok(gate::judge(changes, &limits));
                    let gated = jobs::on_blocking_pool(&hub.processors(), judge).await?;
                    Ok(Done::Gated { batch, gated })
                });
            }
            Lane::Dropped(dropped) => self.job(async move {
                let engine = hub.engine().clone();
                let note = move || service::dropped(&engine, who, dropped);
                jobs::on_blocking_pool(&hub.reads(), note).await.map(Done::DropsNoted)
            }),
            Lane::Decide(decide) => self.job(async move {
                let engine = hub.engine().clone();
                let decide = move || service::decide(&engine, who, decide);
                jobs::on_blocking_pool(&hub.reads(), decide).await.map(Done::Decided)
            }),
            Lane::Offer { offer, items } => {
                let room = hub.offers();
                let mut offers = self.offers.take().unwrap_or_else(|| Offers::new(room));
                let (engine, limits) = (hub.engine().clone(), hub.options().limits);
                self.job(async move {
                    let take = move || {
                        let outcome = service::offer(&engine, &limits, who, &mut offers, items);
                        Ok(Done::Offered(Box::new((offers, offer, outcome))))
                    };
                    jobs::on_blocking_pool(&hub.reads(), take).await
                });
            }
        }
    }

    /// Hands a judged batch to the engine. Its receipt comes after the commit; the next batch goes on
    /// at once.
    fn append(&mut self, batch: u64, gated: Gated) {
        let Some(who) = self.who else { return };
        let Gated { admitted, mut refused, mut kept } = gated;
        let request = AppendRequest {
            workspace: who.workspace,
            device: who.device,
            user: who.user,
            batch,
            changes: admitted,
            vouched: None,
            sealed: SealedBy::Nobody,
        };
        kept.truncate(REFUSED_KEPT_MAX.saturating_sub(self.refused_kept));
        self.refused_kept += kept.len();
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        self.hub.engine().append(request, reply);
        let (engine, room) = (self.hub.engine().clone(), self.hub.reads());
        self.job(async move {
            if !kept.is_empty() {
                let now = engine.now_ms();
                let keep = move || engine.write(move |tx| gate::keep(tx, who, &kept, now));
                let erased = jobs::on_blocking_pool(&room, keep).await?;
                gate::note_erased(&mut refused, &erased);
            }
            let appended = answer.await.unwrap_or(Err(EngineError::Closed))?;
            metrics::histogram!("roadbook_commit_seconds").record(begun.elapsed().as_secs_f64());
            Ok(Done::Appended { refused, appended })
        });
        self.lane_busy = false;
        self.advance();
    }

    fn appended(&mut self, refused: Vec<Option<Outcome>>, appended: Appended) {
        self.appending = self.appending.saturating_sub(1);
        for outcome in &appended.outcomes {
            metrics::counter!("roadbook_changes_total", "fate" => outcome.fate.as_str())
                .increment(1);
            // What found no room to wait is not held: nothing will be told of it.
            if outcome.code != "waiting_full" {
                self.receipts.taken(outcome.hash, outcome.contact, outcome.fate);
            }
        }
        let outcomes = gate::answer(refused, appended.outcomes, &appended.need);
        self.event(ServerEvent::Appended {
            batch: appended.batch,
            outcomes,
            waiting: appended.need,
        });
    }

    /// Takes what a job brought.
    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Event(event) => self.event(event),
            Done::Decoded(frame) => {
                self.decoding = false;
                self.decoded(frame);
            }
            Done::LookedUp { who, minimum_app, event } => {
                self.who = Some(who);
                self.session.set_minimum_app(minimum_app);
                self.event(event);
            }
            Done::Opened(opened) => {
                let (seat, seen, event) = *opened;
                // A handshake that was given up meanwhile takes no place.
                if self.leaving == Leaving::No {
                    self.seat = Some(seat);
                    self.opened = true;
                    self.note(seen);
                    self.event(event);
                }
            }
            Done::Gated { batch, gated } => self.append(batch, gated),
            Done::Appended { refused, appended } => self.appended(refused, appended),
            Done::Erasures(erasures) => {
                if let Some(erasures) = erasures {
                    self.event(ServerEvent::Erasures(erasures));
                }
            }
            Done::Directory(directory) => {
                // Ed25519 signs the same facts with the same bytes.
                let told = (directory.signature.clone(), directory.custom_fields.clone());
                if told != self.directory {
                    self.directory = told;
                    self.event(ServerEvent::Directory(directory));
                }
            }
            Done::Registered(taken) => {
                self.lane_busy = false;
                if !taken.is_empty() {
                    let mut problem = problem(
                        ProblemCode::ActorTaken,
                        "an actor of this replica belongs to another device: this replica goes on under a new one",
                        None,
                    );
                    problem.actors = taken;
                    self.send(problem.into());
                }
                self.advance();
            }
            Done::DropsNoted(known) => {
                self.lane_busy = false;
                self.event(ServerEvent::DropsNoted(known));
                self.advance();
            }
            Done::Proposals(parts) => self.proposals_loaded(parts),
            Done::Lists(parts) => self.lists_loaded(parts),
            Done::Decided(decided) => {
                self.lane_busy = false;
                self.event(ServerEvent::Decided(decided));
                self.advance();
            }
            Done::Offered(offered) => {
                let (offers, offer, outcome) = *offered;
                self.lane_busy = false;
                self.offers = Some(offers);
                match outcome {
                    Ok(refused) => self.event(ServerEvent::Offered { offer, refused }),
                    Err(EngineError::Refused { code: "offer", reason }) => {
                        return self.refuse(problem(ProblemCode::Protocol, &reason, None), 1008);
                    }
                    Err(error) => return self.done(Done::Failed(error)),
                }
                self.advance();
            }
            Done::Page(page) => self.page(page),
            Done::Held(held) => self.hold(&held),
            Done::Fetched { request, part } => {
                let Some(items) = part.items else { return self.revoked() };
                let last = part.rest.is_empty();
                let seal = part.seal;
                self.event(ServerEvent::FetchLoaded { request, items, last, seal });
                if !last {
                    self.unfetched.push_back((request, part.rest));
                }
            }
            Done::Failed(EngineError::Busy { what }) => {
                tracing::warn!(what, "a device was sent away: the engine is busy");
                let wait = Some(self.hub.drain().retry_after());
                let message = "the server is busy; the app tries again by itself";
                self.refuse(problem(ProblemCode::Unavailable, message, wait), 1013);
            }
            Done::Failed(EngineError::Closed) => {
                let wait = Some(self.hub.drain().retry_after());
                let message = "the server is restarting; the app tries again by itself";
                self.refuse(problem(ProblemCode::Unavailable, message, wait), 1012);
            }
            Done::Failed(EngineError::Refused { code: "revoked", .. }) => self.revoked(),
            Done::Failed(error) => {
                let problem = jobs::failed(&error);
                let code = if problem.code == ProblemCode::Unavailable { 1013 } else { 1011 };
                self.refuse(problem, code);
            }
        }
    }
}
