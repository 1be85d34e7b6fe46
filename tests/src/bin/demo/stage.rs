//! The server with its people, its contacts and its devices.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use roadbook_client_core::Durability;
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_server::admin::control::Control;
use roadbook_server::admin::execute::{Context, execute};
use roadbook_server::admin::import::{ImportOptions, Kind};
use roadbook_server::admin::request::{Answer, Assign, Call, Request};
use roadbook_server::engine::{AuthorOutcome, Authored, Engine, EngineError, EngineOptions};
use roadbook_server::http::{ServeOptions, Serving, TlsSource, serve};
use roadbook_server::store::{contacts, people};
use roadbook_tests::generate::Generator;
use roadbook_tests::local::Device;
use tokio_util::sync::CancellationToken;

use crate::history::History;

pub type Failure = Box<dyn std::error::Error>;

/// Reps of the demo: login and name.
const REPS: [(&str, &str); 3] =
    [("north", "Region North"), ("south", "Region South"), ("export", "Export")];
/// How long a code may be used here.
const CODE_MS: i64 = 10 * 60 * 1000;

/// Everything that the scene is played on.
pub struct Stage {
    engine: Arc<Engine>,
    context: Context,
    dir: PathBuf,
    shutdown: CancellationToken,
    serving: Serving,
    workspace: WorkspaceId,
    manager: UserId,
    /// Where the server listens.
    pub url: String,
    /// Signs the manager in, once.
    pub manager_link: String,
    /// Contacts of the rep of the scene that a colleague shares.
    pub shared: Vec<ContactId>,
}

impl Stage {
    /// Starts the server, adds people, imports generated contacts, assigns them.
    pub async fn set(dir: &Path, listen: SocketAddr, contacts: usize) -> Result<Stage, Failure> {
        let data = dir.join("server");
        let engine = {
            let data = data.clone();
            blocking(move || Ok(Engine::open(&data, EngineOptions::default())?)).await?
        };
        let shutdown = CancellationToken::new();
        let mut options = ServeOptions::new(listen, TlsSource::Plain);
        options.drain_spread = std::time::Duration::ZERO;
        let serving = serve(Arc::clone(&engine), options, shutdown.clone()).await?;
        let url = serving.url.clone();
        let context = Context { url: Some(url.clone()), fingerprint: None, code_ms: CODE_MS };

        let control = Control::bind(&data)?;
        let (for_commands, for_context) = (Arc::clone(&engine), context.clone());
        let handler = move |call: Call, files: Vec<Vec<u8>>, output: &mut dyn std::io::Write| {
            execute(&for_commands, &for_context, call, &files, output)
        };
        tokio::spawn(control.serve(Arc::new(handler), shutdown.clone()));

        let mut stage = Stage {
            engine,
            context,
            dir: dir.to_owned(),
            shutdown,
            serving,
            workspace: WorkspaceId::from_bytes([0; 16]),
            manager: UserId::from_bytes([0; 16]),
            url,
            manager_link: String::new(),
            shared: Vec::new(),
        };
        stage.fill(contacts).await?;
        Ok(stage)
    }

    async fn fill(&mut self, contacts: usize) -> Result<(), Failure> {
        let added = self.command(add_user("office", "manager", "The office"), Vec::new()).await?;
        self.manager_link = added.data["url"].as_str().ok_or("no sign-in link")?.to_owned();
        for (login, name) in REPS {
            self.command(add_user(login, "rep", name), Vec::new()).await?;
        }
        let mut generator = Generator::new(2026);
        for (login, _) in REPS {
            let csv = generator.csv(contacts / REPS.len());
            let import = ImportOptions {
                owner: Some(login.to_owned()),
                key: Some("customer_no".to_owned()),
                file: "contacts.csv".to_owned(),
                ..ImportOptions::default()
            };
            self.command(Request::Import(import), vec![csv.into_bytes()]).await?;
        }
        println!("{contacts} contacts imported for {} reps", REPS.len());
        let engine = Arc::clone(&self.engine);
        let (workspace, manager) = blocking(move || {
            let workspace = engine.workspaces()?.first().map(|w| w.id).ok_or("no workspace")?;
            let manager = engine.read(|conn| people::find_user(conn, workspace, "office"))?;
            Ok((workspace, manager.id))
        })
        .await?;
        (self.workspace, self.manager) = (workspace, manager);
        self.live_through(contacts).await?;
        let spare = self.device("north", "tablet", "tablet").await?;
        spare.sync().await;
        self.shared = spare.replica.ids(None)?.into_iter().take(10).collect();
        spare.replica.close();
        let ids = self.shared.iter().map(ContactId::to_string).collect();
        let assign =
            Assign { to: Some("south".into()), ids, collaborator: true, ..Assign::default() };
        self.command(Request::Assign(assign), Vec::new()).await?;
        Ok(())
    }

    /// What the reps did before, in their names.
    async fn live_through(&self, contacts: usize) -> Result<(), Failure> {
        let mut history = History::until(Utc::now());
        let import = ImportOptions {
            kind: Kind::Purchases,
            key: Some("customer_no".to_owned()),
            file: "purchases.csv".to_owned(),
            ..ImportOptions::default()
        };
        let csv = history.purchases(contacts);
        self.command(Request::Import(import), vec![csv.into_bytes()]).await?;
        let (engine, workspace) = (Arc::clone(&self.engine), self.workspace);
        blocking(move || {
            for (login, _) in REPS {
                let (rep, held) = engine.read(|conn| {
                    let rep = people::find_user(conn, workspace, login)?.id;
                    let mut held = Vec::new();
                    contacts::for_each(conn, workspace, Some(rep), |contact| {
                        held.push(contact.id);
                        Ok(())
                    })?;
                    Ok::<_, EngineError>((rep, held))
                })?;
                for outcome in engine.author(workspace, rep, history.of(&held))? {
                    if let AuthorOutcome::Refused(error) = outcome {
                        return Err(error.into());
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// A device of a rep, enrolled, not yet synced.
    pub async fn device(&self, login: &str, home: &str, name: &str) -> Result<Device, Failure> {
        let invited = self.command(Request::Invite { login: login.into() }, Vec::new()).await?;
        let code = invited.data["code"].as_str().ok_or("no code")?.to_owned();
        let device = Device::open(&self.dir.join(home), Durability::Full);
        device.enrol(&self.url, &code, None, name).await;
        Ok(device)
    }

    /// The home of an enrolled device that the scene leaves alone: for the person who watches.
    pub fn spare_home(&self) -> PathBuf {
        self.dir.join("tablet")
    }

    /// The server's data.
    pub fn data(&self) -> PathBuf {
        self.dir.join("server")
    }

    /// The manager edits a contact at the office.
    pub async fn office_edits(
        &self,
        contact: ContactId,
        commands: Vec<Command>,
    ) -> Result<(), Failure> {
        let (engine, workspace, manager) = (Arc::clone(&self.engine), self.workspace, self.manager);
        blocking(move || {
            let edits = vec![Authored::edit(contact, commands)];
            match engine.author(workspace, manager, edits)?.into_iter().next() {
                Some(AuthorOutcome::Refused(error)) => Err(error.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    /// The hash over all contacts of an owner at the server.
    pub async fn state_hash(&self, ids: &[ContactId]) -> Result<String, Failure> {
        let ids = ids.iter().map(ContactId::to_string).collect();
        let request = Request::StateHash { owner: None, ids, each: false };
        let answer = self.command(request, Vec::new()).await?;
        Ok(answer.data["hash"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether the server's own verification finds nothing.
    pub async fn is_clean(&self) -> Result<bool, Failure> {
        Ok(!self.command(Request::Check, Vec::new()).await?.off)
    }

    async fn command(&self, request: Request, files: Vec<Vec<u8>>) -> Result<Answer, Failure> {
        let (engine, context) = (Arc::clone(&self.engine), self.context.clone());
        blocking(move || {
            let call = Call { workspace: None, by: None, request };
            Ok(execute(&engine, &context, call, &files, &mut std::io::sink())?)
        })
        .await
    }

    /// Stops the server and waits until it is down.
    pub async fn close(self) {
        self.shutdown.cancel();
        let _ = self.serving.task.await;
        let engine = self.engine;
        let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
    }
}

fn add_user(login: &str, role: &str, name: &str) -> Request {
    Request::UserAdd { login: login.into(), role: role.into(), name: name.into(), team: None }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done =
        tokio::task::spawn_blocking(move || work().map_err(|error| error.to_string())).await?;
    done.map_err(Into::into)
}
