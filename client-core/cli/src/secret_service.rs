//! The keyring of a Linux desktop: the Secret Service of freedesktop.org, which GNOME Keyring, KWallet and KeePassXC
//! offer on the bus of the user's session.
//!
//! Secrets go over that bus as they are: it is a socket which only this user's programs may open, and each of them may
//! ask the keyring for the same secret.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use roadbook_client_core::keys::{KeyStoreError, Keyring};
use rustbus::connection::Timeout;
use rustbus::connection::ll_conn::force_finish_on_error;
use rustbus::message_builder::{MarshalledMessage, MessageBuilder, MessageType};
use rustbus::wire::ObjectPath;
use rustbus::wire::unmarshal::traits::Variant;
use rustbus::{RpcConn, dbus_variant_sig};

/// How long the keyring may take for an answer that needs nobody.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long a person may take to open it.
const PROMPT_MAX: Duration = Duration::from_secs(120);

const BUS_NAME: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
/// The path that stands for none.
const NONE: &str = "/";

type Attributes = HashMap<String, String>;
type Path = ObjectPath<String>;
/// Session, parameters, value, content type.
type Secret = (Path, Vec<u8>, Vec<u8>, String);

dbus_variant_sig!(Property, Text => String; Pairs => Attributes);

/// The keyring that the session bus of this user leads to.
#[derive(Debug, Clone, Copy)]
pub struct SecretService;

impl SecretService {
    /// Where there is a session bus at all.
    pub fn here() -> Option<Self> {
        std::env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|bus| !bus.is_empty()).map(|_| Self)
    }
}

impl Keyring for SecretService {
    fn is_ready(&self) -> bool {
        let ready = Bus::connect().and_then(|mut bus| {
            let collection = bus.collection()?;
            bus.is_open(&collection)
        });
        matches!(ready, Ok(true))
    }

    fn get(&self, replica: &str, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let mut bus = Bus::connect()?;
        let Some(item) = bus.find(replica, name)? else { return Ok(None) };
        let session = bus.session()?;
        let reply = bus.call(item.as_ref(), ITEM, "GetSecret", |body| body.push_param(&session))?;
        let (_, _, secret, _): Secret = reply.body.parser().get().map_err(said)?;
        Ok(Some(secret))
    }

    fn put(
        &self,
        replica: &str,
        name: &str,
        label: &str,
        secret: &[u8],
    ) -> Result<(), KeyStoreError> {
        let mut bus = Bus::connect()?;
        let collection = bus.collection()?;
        if !bus.is_open(&collection)? {
            bus.unlock(collection.clone())?;
        }
        let session = bus.session()?;
        let properties = HashMap::from([
            (format!("{ITEM}.Label"), Property::Text(label.to_owned())),
            (format!("{ITEM}.Attributes"), Property::Pairs(attributes(replica, name))),
        ]);
        let secret: Secret =
            (session, Vec::new(), secret.to_vec(), "application/octet-stream".into());
        let reply = bus.call(collection.as_ref(), COLLECTION, "CreateItem", |body| {
            body.push_param3(&properties, &secret, true)
        })?;
        let (_, prompt): (Path, Path) = reply.body.parser().get2().map_err(said)?;
        bus.answer(&prompt)
    }

    fn delete(&self, replica: &str, name: &str) -> Result<(), KeyStoreError> {
        let mut bus = Bus::connect()?;
        while let Some(item) = bus.find(replica, name)? {
            let reply = bus.call(item.as_ref(), ITEM, "Delete", |_| Ok(()))?;
            let prompt: Path = reply.body.parser().get().map_err(said)?;
            bus.answer(&prompt)?;
        }
        Ok(())
    }
}

/// What a secret is found by.
fn attributes(replica: &str, name: &str) -> Attributes {
    let pairs = [
        ("xdg:schema", "org.freedesktop.Secret.Generic"),
        ("application", "roadbook"),
        ("replica", replica),
        ("name", name),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// A connection to the session bus.
struct Bus {
    conn: RpcConn,
}

impl Bus {
    fn connect() -> Result<Self, KeyStoreError> {
        let conn = RpcConn::session_conn(Timeout::Duration(ANSWER_MAX)).map_err(said)?;
        Ok(Self { conn })
    }

    /// Calls a method of the service and waits for its answer.
    fn call(
        &mut self,
        path: &str,
        interface: &str,
        method: &str,
        fill: impl FnOnce(
            &mut rustbus::message_builder::MarshalledMessageBody,
        ) -> Result<(), rustbus::wire::errors::MarshalError>,
    ) -> Result<MarshalledMessage, KeyStoreError> {
        let message = MessageBuilder::new()
            .call(method)
            .on(path)
            .with_interface(interface)
            .at(BUS_NAME)
            .build();
        self.send(message, fill)
    }

    fn send(
        &mut self,
        mut message: MarshalledMessage,
        fill: impl FnOnce(
            &mut rustbus::message_builder::MarshalledMessageBody,
        ) -> Result<(), rustbus::wire::errors::MarshalError>,
    ) -> Result<MarshalledMessage, KeyStoreError> {
        fill(&mut message.body).map_err(said)?;
        let timeout = Timeout::Duration(ANSWER_MAX);
        let sending = self.conn.send_message(&mut message).map_err(said)?;
        let serial = sending.write(timeout).map_err(force_finish_on_error).map_err(said)?;
        let reply = self.conn.wait_response(serial, timeout).map_err(said)?;
        if reply.typ == MessageType::Error {
            let name = reply.dynheader.error_name.clone().unwrap_or_default();
            let text: String = reply.body.parser().get().unwrap_or_default();
            return Err(said(format!("{text} ({name})")));
        }
        Ok(reply)
    }

    fn session(&mut self) -> Result<Path, KeyStoreError> {
        let reply = self.call(SERVICE_PATH, SERVICE, "OpenSession", |body| {
            body.push_param("plain")?;
            body.push_variant("")
        })?;
        let (_, session): (Variant<'_, '_>, Path) = reply.body.parser().get2().map_err(said)?;
        Ok(session)
    }

    /// Where new secrets go.
    fn collection(&mut self) -> Result<Path, KeyStoreError> {
        let reply =
            self.call(SERVICE_PATH, SERVICE, "ReadAlias", |body| body.push_param("default"))?;
        let path: Path = reply.body.parser().get().map_err(said)?;
        match path.as_ref() {
            NONE => Err(said(
                "this user has no keyring yet; the desktop makes one when it is asked to keep a password",
            )),
            _ => Ok(path),
        }
    }

    fn is_open(&mut self, collection: &Path) -> Result<bool, KeyStoreError> {
        let properties = "org.freedesktop.DBus.Properties";
        let reply = self.call(collection.as_ref(), properties, "Get", |body| {
            body.push_param2(COLLECTION, "Locked")
        })?;
        let locked: Variant<'_, '_> = reply.body.parser().get().map_err(said)?;
        Ok(!locked.get::<bool>().map_err(said)?)
    }

    /// The item of a secret, opened if it has to be.
    fn find(&mut self, replica: &str, name: &str) -> Result<Option<Path>, KeyStoreError> {
        let wanted = attributes(replica, name);
        let reply =
            self.call(SERVICE_PATH, SERVICE, "SearchItems", |body| body.push_param(&wanted))?;
        let (open, locked): (Vec<Path>, Vec<Path>) = reply.body.parser().get2().map_err(said)?;
        if let Some(item) = open.into_iter().next() {
            return Ok(Some(item));
        }
        let Some(item) = locked.into_iter().next() else { return Ok(None) };
        self.unlock(item.clone())?;
        Ok(Some(item))
    }

    /// Opens an item or a collection; the user is asked if need be.
    fn unlock(&mut self, what: Path) -> Result<(), KeyStoreError> {
        let what = vec![what];
        let reply = self.call(SERVICE_PATH, SERVICE, "Unlock", |body| body.push_param(&what))?;
        let (_, prompt): (Vec<Path>, Path) = reply.body.parser().get2().map_err(said)?;
        self.answer(&prompt)
    }

    /// Has the keyring ask its user, if it wants to, and waits for the answer.
    fn answer(&mut self, prompt: &Path) -> Result<(), KeyStoreError> {
        if prompt.as_ref() == NONE {
            return Ok(());
        }
        let rule = format!("type='signal',interface='{PROMPT}',member='Completed'");
        self.send(rustbus::standard_messages::add_match(&rule), |_| Ok(()))?;
        self.call(prompt.as_ref(), PROMPT, "Prompt", |body| body.push_param(""))?;
        let end = Instant::now() + PROMPT_MAX;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let signal = self
                .conn
                .wait_signal(Timeout::Duration(left))
                .map_err(|_| closed("nobody opened it"))?;
            if signal.dynheader.object.as_deref() == Some(prompt.as_ref())
                && signal.dynheader.member.as_deref() == Some("Completed")
            {
                let dismissed: bool = signal.body.parser().get().map_err(said)?;
                return if dismissed { Err(closed("that was refused")) } else { Ok(()) };
            }
        }
    }
}

/// The user has to open it.
fn closed(reason: &str) -> KeyStoreError {
    KeyStoreError::Locked {
        what: "the keyring of the desktop".to_owned(),
        reason: format!(
            "{reason}; sign in to the desktop, or open the keyring there, and try again: nothing was changed"
        ),
    }
}

fn said(error: impl std::fmt::Display) -> KeyStoreError {
    KeyStoreError::Unavailable {
        reason: format!("the keyring of the desktop: {error}; nothing was changed"),
    }
}
