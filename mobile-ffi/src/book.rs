//! One device's replica, as the app holds it: opening and enrolling, where it stands, going to the
//! background and coming back, the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use roadbook_client_core::{self as core, OpenOptions, Replica};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::border::{self, guarded, runtime};
use crate::error::{Result, RoadbookError};
use crate::keys::{self, KeyStore, Signer};
use crate::sync::{Progress, SyncSlot, SyncState};
use crate::value::moment;

/// How long going to the background waits for what is running. The goodbye to a server takes two
/// seconds at most, one page of a first sync less.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How a replica is opened.
#[derive(Clone, uniffi::Record)]
pub struct OpenSettings {
    /// The directory of the replica, made if it is absent. Nothing else may be kept in it, and it must
    /// not be part of the phone's cloud backup.
    pub home: String,
    /// Name and version of the app, told to the server.
    #[uniffi(default = None)]
    pub app: Option<String>,
    /// Keeps the replica's secrets; files in `home` do unless given.
    #[uniffi(default = None)]
    pub key_store: Option<Arc<dyn KeyStore>>,
    /// Signs in the name of the device; a key in the key store does unless given.
    #[uniffi(default = None)]
    pub signer: Option<Arc<dyn Signer>>,
    /// For an enrolment, where the key of the replica is lost: what can't be opened is put into a
    /// directory beside it, and an empty one is opened; `enrol` comes next. The sealed copies of
    /// its unsent edits go up with the first exchange. It is put back by `close` without an enrolment. A
    /// replica that can be opened is opened as ever.
    #[uniffi(default = false)]
    pub begin_anew: bool,
}

/// Who the device belongs to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Device {
    /// The device's id.
    pub device_id: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The workspace's name.
    pub workspace_name: String,
    /// The user.
    pub user: Person,
    /// The address that the device syncs with.
    pub server_url: String,
}

/// A user, for people.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// The login; empty where it is not known.
    pub login: String,
    /// The name; empty where it is not known.
    pub name: String,
}

/// Where the permission to read offline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LeaseState {
    /// More than half of it is left.
    Valid,
    /// Half of it is over: tell the user to connect.
    Renew,
    /// It has ended: reading is locked until the next contact with the server, or a code of the office.
    Ended,
}

/// The permission to read without a contact to the server.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Lease {
    /// Where it stands.
    pub state: LeaseState,
    /// When it ends, by the server's clock.
    pub until: SystemTime,
    /// How much of it is left.
    pub left: Duration,
}

impl Lease {
    pub(crate) fn from_core(lease: core::Lease) -> Lease {
        Lease {
            state: match lease.state {
                core::LeaseState::Valid => LeaseState::Valid,
                core::LeaseState::Renew => LeaseState::Renew,
                core::LeaseState::Ended => LeaseState::Ended,
            },
            until: moment(lease.until),
            left: Duration::from_millis(lease.left_ms.unsigned_abs()),
        }
    }
}

/// The wipe of this device, which the office ordered.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WipeState {
    /// When the office revoked the device.
    pub revoked_at: SystemTime,
    /// Edits that had not been sent and were sealed for the office.
    pub edits: u64,
    /// Whether the office has all of them.
    pub handed_over: bool,
    /// Whether the office knows that the device is wiped.
    pub confirmed: bool,
}

impl WipeState {
    pub(crate) fn from_core(wipe: core::WipeStatus) -> WipeState {
        WipeState {
            revoked_at: moment(wipe.revoked_at),
            edits: wipe.edits,
            handed_over: wipe.handed_over,
            confirmed: wipe.confirmed,
        }
    }
}

/// Where the replica stands.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Status {
    /// Whether the replica belongs to somebody and has its key.
    pub enrolled: bool,
    /// Who it belongs to.
    pub device: Option<Device>,
    /// What the device is called.
    pub device_name: String,
    /// The user's role: `rep`, `manager` or `admin`; empty before the first sync.
    pub role: String,
    /// Contacts on this device.
    pub contacts: u64,
    /// Contacts with a conflict that waits for a decision.
    pub conflicts: u64,
    /// What could not become part of a contact.
    pub quarantined: u64,
    /// Late edits of others that wait for this user's decision; see `proposals`.
    pub proposals: u64,
    /// What is on its way, and the connection.
    pub sync: SyncState,
    /// Whether the database is encrypted. What `cargo ship` builds encrypts, with a key from the key
    /// store; a build for development does not.
    pub encrypted: bool,
    /// The permission to read offline; none where it has no end.
    pub lease: Option<Lease>,
    /// Set where the office revoked this device and it was wiped.
    pub wiped: Option<WipeState>,
    /// When the replica was found to be restored or copied; it goes on under a name of its own.
    pub copied_at: Option<SystemTime>,
    /// The name under which a damaged database was set aside, if that happened.
    pub set_aside_file: Option<String>,
}

/// What may be done with the replica now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    Suspended,
    Closed,
}

/// What the app's handle, the tasks and the observers share.
pub(crate) struct Book {
    pub replica: Replica,
    pub app: Option<String>,
    pub life: watch::Sender<Life>,
    /// Cancelled when everything that runs has to end: at suspending and closing.
    session: Mutex<CancellationToken>,
    pub tasks: TaskTracker,
    pub sync: SyncSlot,
    pub observers: AtomicUsize,
    /// Suspending, resuming, closing: one at a time.
    turnover: Mutex<()>,
}

/// One device's replica: every contact of one rep, on this device, with or without a network.
///
/// One handle has a directory open at a time. It may be used from any thread. What is not `async`
/// waits for the disk only, reading under a millisecond or two and editing for one write; call it off
/// the UI thread where a frame must not be missed. Close it at the end.
#[derive(uniffi::Object)]
pub struct Roadbook {
    pub(crate) book: Arc<Book>,
}

#[uniffi::export]
impl Roadbook {
    /// Opens the replica in a directory; makes an empty one if there is none. Needs no network.
    ///
    /// `Locked` where it is open already, here or in another process. A database that can't be read
    /// any more is set aside, never deleted; what was not sent is taken over from it, the rest is
    /// fetched again.
    #[uniffi::constructor]
    pub async fn open(settings: OpenSettings) -> Result<Arc<Self>> {
        border::install();
        let opened = runtime().spawn_blocking(move || {
            guarded("open", || {
                let mut options = OpenOptions::default();
                keys::wire(&mut options, settings.key_store, settings.signer);
                let open = if settings.begin_anew { Replica::open_to_enrol } else { Replica::open };
                Self::open_with(Path::new(&settings.home), options, settings.app, open)
            })
        });
        opened.await.unwrap_or(Err(RoadbookError::Cancelled))
    }

    /// Enrols the device with the one-time code that the office gave out. Needs the network.
    ///
    /// `url` is the server's address, with `https://` in front. `fingerprint` pins the key of a
    /// server whose certificate no authority has signed. What was edited under an earlier enrolment
    /// of the same user is kept. `Refused` with `CodeRefused` where the code is not good.
    #[uniffi::method(default(fingerprint = None))]
    pub async fn enrol(
        &self,
        url: String,
        code: String,
        device_name: String,
        fingerprint: Option<String>,
    ) -> Result<Device> {
        self.enrol_at("enrol", url, code, device_name, fingerprint).await
    }

    /// Enrols the device with what the picture of an invitation says, or the link that it was sent as:
    /// a text that begins with `roadbook://enrol`. Otherwise as `enrol`. `Invalid` where the text is no
    /// invitation.
    pub async fn enrol_scanned(&self, text: String, device_name: String) -> Result<Device> {
        let core::sync::Invitation { url, code, fingerprint } =
            core::sync::Invitation::parse(&text).map_err(|reason| {
                RoadbookError::invalid("text", reason, "scan the picture of the invitation again")
            })?;
        self.enrol_at("enrol_scanned", url, code, device_name, fingerprint).await
    }

    /// Where the replica stands.
    pub fn status(&self) -> Result<Status> {
        self.call("status", |replica| {
            let status = replica.status()?;
            let sync = SyncState::from_core(&status, self.book.sync.is_wanted());
            Ok(Status {
                enrolled: status.enrolled,
                device: match (status.workspace, &status.user, &status.device) {
                    (Some(workspace), Some(user), Some(device)) => Some(Device {
                        device_id: device.id.to_string(),
                        workspace_id: workspace.id.to_string(),
                        workspace_name: workspace.name,
                        user: Person {
                            id: user.id.to_string(),
                            login: user.login.clone(),
                            name: user.name.clone(),
                        },
                        server_url: status.server_url.unwrap_or_default(),
                    }),
                    _ => None,
                },
                device_name: status.device.map(|device| device.name).unwrap_or_default(),
                role: status.user.map(|user| user.role).unwrap_or_default(),
                contacts: status.contacts,
                conflicts: status.conflicts,
                quarantined: status.quarantined,
                proposals: status.proposals,
                sync,
                encrypted: status.encryption.encrypted,
                lease: status.lease.map(Lease::from_core),
                wiped: status.wiped.map(WipeState::from_core),
                copied_at: status.copied_at.map(moment),
                set_aside_file: status.set_aside_file,
            })
        })
    }

    /// The permission to read offline; none where it has no end.
    pub fn lease(&self) -> Result<Option<Lease>> {
        self.call("lease", |replica| Ok(replica.lease().map(Lease::from_core)))
    }

    /// Extends the permission to read offline with a code that the office read out. It is good once,
    /// for this device, and only if the server was not reached since it was made.
    pub fn extend_lease(&self, code: String) -> Result<Option<Lease>> {
        self.call("extend_lease", |replica| Ok(replica.extend_lease(&code)?.map(Lease::from_core)))
    }

    /// Before the app goes to the background: ends the exchange with the server in good order, waits
    /// for what is running, closes every file and releases every lock. iOS kills an app that is
    /// suspended with a lock of SQLite.
    ///
    /// Blocks for the time of the goodbye to the server, two seconds at most, plus what the disk
    /// takes. Calls fail with `Suspended` until `resume`; observers are silent until then.
    pub fn suspend(&self) -> Result<()> {
        guarded("suspend", || {
            let _turn = self.book.turn();
            match self.book.life() {
                Life::Closed => return Err(RoadbookError::Closed),
                Life::Suspended => return Ok(()),
                Life::Running => self.book.life.send_replace(Life::Suspended),
            };
            self.book.drain();
            self.book.replica.suspend();
            Ok(())
        })
    }

    /// When the app comes back: opens the files again, and goes on with the exchange if it was running.
    /// The errors are those of `open`.
    pub fn resume(&self) -> Result<()> {
        guarded("resume", || {
            let _turn = self.book.turn();
            match self.book.life() {
                Life::Closed => return Err(RoadbookError::Closed),
                Life::Running => return Ok(()),
                Life::Suspended => {}
            }
            self.book.replica.resume()?;
            *self.book.lock_session() = CancellationToken::new();
            self.book.tasks.reopen();
            self.book.life.send_replace(Life::Running);
            if self.book.sync.is_wanted() {
                self.book.begin_sync();
            }
            Ok(())
        })
    }

    /// Ends the exchange, the observers and everything that is running, and closes the files. Every
    /// later call fails with `Closed`. Closing twice is no error.
    pub fn close(&self) {
        // A panic here would leave the app with nothing to do about it.
        let _ = guarded("close", || {
            let _turn = self.book.turn();
            if self.book.life.send_replace(Life::Closed) == Life::Closed {
                return Ok(());
            }
            self.book.drain();
            self.book.replica.close();
            Ok(())
        });
    }

    /// Destroys the replica on this device because its user wants to sign out: contacts, edits, keys.
    /// The handle is closed then; the directory may be enrolled anew. The server keeps what it has.
    ///
    /// `NotAllowed` where there are edits that only this device has, unless `discard_unsent`: sync
    /// first, and export the quarantine.
    pub fn wipe(&self, discard_unsent: bool) -> Result<()> {
        guarded("wipe", || {
            let _turn = self.book.turn();
            match self.book.life() {
                Life::Closed => return Err(RoadbookError::Closed),
                Life::Suspended => return Err(RoadbookError::Suspended),
                Life::Running => self.book.life.send_replace(Life::Suspended),
            };
            self.book.drain();
            match self.book.replica.forget(discard_unsent) {
                Ok(()) => {
                    self.book.life.send_replace(Life::Closed);
                    Ok(())
                }
                Err(error @ core::Error::NotAllowed { .. }) => {
                    *self.book.lock_session() = CancellationToken::new();
                    self.book.tasks.reopen();
                    self.book.life.send_replace(Life::Running);
                    if self.book.sync.is_wanted() {
                        self.book.begin_sync();
                    }
                    Err(error.into())
                }
                Err(error) => {
                    self.book.life.send_replace(Life::Closed);
                    self.book.replica.close();
                    Err(error.into())
                }
            }
        })
    }

    /// The directory.
    pub fn home(&self) -> String {
        self.book.replica.home().display().to_string()
    }
}

impl Roadbook {
    async fn enrol_at(
        &self,
        call: &'static str,
        url: String,
        code: String,
        device_name: String,
        fingerprint: Option<String>,
    ) -> Result<Device> {
        let book = Arc::clone(&self.book);
        self.run(call, move |cancel| async move {
            let enrol =
                core::sync::enrol(&book.replica, &url, &code, fingerprint.as_deref(), &device_name);
            let enrolled = tokio::select! {
                enrolled = enrol => enrolled?,
                () = cancel.cancelled() => return Err(RoadbookError::Cancelled),
            };
            Ok(Device {
                device_id: enrolled.device.to_string(),
                workspace_id: enrolled.workspace.to_string(),
                workspace_name: enrolled.workspace_name,
                user: Person {
                    id: enrolled.user.to_string(),
                    login: enrolled.login,
                    name: enrolled.user_name,
                },
                server_url: enrolled.server_url,
            })
        })
        .await
    }

    pub(crate) fn open_with(
        home: &Path,
        options: OpenOptions,
        app: Option<String>,
        open: fn(&Path, OpenOptions) -> core::Result<Replica>,
    ) -> Result<Arc<Self>> {
        if home.as_os_str().is_empty() {
            return Err(RoadbookError::invalid("home", "it is empty", "name a directory"));
        }
        let home: PathBuf = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        let replica = open(&home, options)?;
        let book = Book {
            replica,
            app,
            life: watch::Sender::new(Life::Running),
            session: Mutex::new(CancellationToken::new()),
            tasks: TaskTracker::new(),
            sync: SyncSlot::default(),
            observers: AtomicUsize::new(0),
            turnover: Mutex::new(()),
        };
        Ok(Arc::new(Self { book: Arc::new(book) }))
    }

    /// Runs one call that waits for the disk only.
    pub(crate) fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Replica) -> Result<T>,
    ) -> Result<T> {
        self.book.call(name, work)
    }

    /// Runs one call that waits for the network, as a task. Where the app gives the call up, the task
    /// is told to end, and does so in good order.
    pub(crate) async fn run<T, F>(
        &self,
        name: &'static str,
        make: impl FnOnce(CancellationToken) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.book.ready()?;
        let cancel = self.book.lock_session().child_token();
        let _given_up = cancel.clone().drop_guard();
        let work = border::guarded_task(name, make(cancel.clone()));
        let task = runtime().spawn(self.book.tasks.track_future(work));
        let outcome = task.await.unwrap_or(Err(RoadbookError::Cancelled));
        match (outcome, self.book.life()) {
            (Ok(value), _) => Ok(value),
            (Err(_), Life::Closed) if cancel.is_cancelled() => Err(RoadbookError::Closed),
            (Err(_), Life::Suspended) if cancel.is_cancelled() => Err(RoadbookError::Suspended),
            (Err(error), _) => Err(error),
        }
    }
}

impl Drop for Roadbook {
    /// A handle that was thrown away without `close`: everything ends, nobody is waited for.
    fn drop(&mut self) {
        if self.book.life.send_replace(Life::Closed) != Life::Closed {
            self.book.lock_session().cancel();
            self.book.replica.close();
        }
    }
}

impl Book {
    pub(crate) fn life(&self) -> Life {
        *self.life.borrow()
    }

    fn ready(&self) -> Result<()> {
        match self.life() {
            Life::Running => Ok(()),
            Life::Suspended => Err(RoadbookError::Suspended),
            Life::Closed => Err(RoadbookError::Closed),
        }
    }

    pub(crate) fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Replica) -> Result<T>,
    ) -> Result<T> {
        guarded(name, || {
            self.ready()?;
            match work(&self.replica) {
                // It was closed while the call was under way.
                Err(RoadbookError::Suspended) if self.life() == Life::Closed => {
                    Err(RoadbookError::Closed)
                }
                done => done,
            }
        })
    }

    pub(crate) fn lock_session(&self) -> MutexGuard<'_, CancellationToken> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turnover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all tasks, and waits for them.
    fn drain(&self) {
        self.lock_session().cancel();
        self.tasks.close();
        let drained = async { tokio::time::timeout(DRAIN_MAX, self.tasks.wait()).await };
        // On a thread of its own: the caller's may belong to a runtime, where waiting is a panic.
        let drained = std::thread::scope(|scope| {
            scope.spawn(|| runtime().block_on(drained)).join().is_ok_and(|waited| waited.is_ok())
        });
        if !drained {
            tracing::warn!("a task did not end in time; its files are closed all the same");
        }
    }
}

/// How much of a first sync is done.
pub(crate) fn progress(progress: core::Progress) -> Progress {
    Progress { done: progress.done, total: progress.total, bytes_total: progress.bytes_total }
}
