//! Serves the managers' pages on generated sample data, on loopback only: for work on the look.
//!
//! `cargo run -p roadbook-server --example office_preview -- [CONTACTS] [PORT]` prints the address
//! and a one-time code for the login `manager`. The data is gone when it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadbook_protocol::document::{self, Author, Collection, Command, EditOptions, Splice, Value};
use roadbook_protocol::guard;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, EntryId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::KeyAlgorithm;
use roadbook_server::engine::{AppendRequest, Authored, Engine, EngineOptions, SealedBy};
use roadbook_server::office::{self, OfficeOptions, OfficeState};
use roadbook_server::store::devices::{self, Device, Seen};
use roadbook_server::store::people::{self, NewUser, Purpose, Role};
use roadbook_server::store::{contacts, documents};

type Failure = Box<dyn std::error::Error>;

const GIVEN: &[&str] = &[
    "Anna",
    "Søren",
    "Łucja",
    "Jürgen",
    "Иван",
    "Мария",
    "Chiara",
    "Noël",
    "Ingrid",
    "Paweł",
    "Olga",
    "Henrik",
];
const FAMILY: &[&str] = &[
    "Østergård",
    "Müller",
    "Nowak",
    "Rossi",
    "Петров",
    "Соколова",
    "Lindqvist",
    "Dubois",
    "Weiß",
    "Kowalska",
    "Hansen",
    "Bianchi",
    "Горбунов",
];
const FIRM: &[&str] = &[
    "Handel",
    "Werkzeug",
    "Møbler",
    "Feinkost",
    "Maschinen",
    "Papier",
    "Logistik",
    "Textil",
    "Энерго",
    "Оптика",
    "Elettronica",
    "Vins",
];
const FORM: &[&str] = &["GmbH", "ApS", "S.p.A.", "ООО", "AB", "SARL", "Sp. z o.o.", "KG"];
const CITY: &[(&str, &str)] = &[
    ("Berlin", "Germany"),
    ("Münster", "Germany"),
    ("Århus", "Denmark"),
    ("København", "Denmark"),
    ("Milano", "Italy"),
    ("Тверь", "Russia"),
    ("Казань", "Russia"),
    ("Kraków", "Poland"),
    ("Lyon", "France"),
];
const JOB: &[&str] = &[
    "Buyer",
    "Head of purchasing",
    "Owner",
    "Workshop manager",
    "Управляющий",
    "Direttrice",
    "Assistant",
];
const TALK: &[&str] = &[
    "Wants a sample of the new range before the fair. Next call on Friday.",
    "Price is fine, delivery time is not: asks for ten days instead of twenty.",
    "The competitor offered 4 % less; we stay, but show the service contract.",
    "Просит прислать каталог и прайс на второй квартал.",
    "New warehouse opens in spring, volume doubles.",
];
const DEAL: &[&str] =
    &["Autumn order", "Trial pack", "Yearly contract", "Spare parts", "Fair contact", "New line"];
const TAGS: &[&str] =
    &["fair 2026", "newsletter", "samples", "key account", "north route", "reference"];

/// A small deterministic generator: the same data at each start.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len())]
    }
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next(256) as u8)
    }
    fn entry(&mut self, now: i64) -> EntryId {
        EntryId::from_time(now as u64, self.bytes())
    }
}

fn put(collection: Collection, id: EntryId, fields: &[(&str, Value)]) -> Command {
    let fields: BTreeMap<String, Option<Value>> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    Command::Put { collection, id, fields }
}

fn set(field: &str, value: impl Into<Value>) -> Command {
    Command::Set { field: field.to_owned(), value: Some(value.into()) }
}

fn sample(dice: &mut Dice, n: usize, now: i64) -> Vec<Command> {
    let day = 86_400_000;
    let (city, country) = dice.of(CITY);
    let (given, family) = (dice.of(GIVEN), dice.of(FAMILY));
    let company = format!("{} {} {}", dice.of(FAMILY), dice.of(FIRM), dice.of(FORM));
    let mut commands = vec![
        set("given_name", given),
        set("family_name", family),
        set("company", company),
        set("job_title", dice.of(JOB)),
        set("status", dice.of(&["lead", "prospect", "customer", "customer", "partner", "lost"])),
        put(
            Collection::Phones,
            dice.entry(now),
            &[
                ("number", format!("+49 30 {:07}", 1_000_000 + n).into()),
                ("label", "office".into()),
            ],
        ),
        put(
            Collection::Emails,
            dice.entry(now),
            &[("address", format!("contact{n}@example.com").into())],
        ),
        put(
            Collection::Addresses,
            dice.entry(now),
            &[
                ("street", format!("Hauptstraße {}", 1 + dice.next(120)).into()),
                ("postal_code", format!("{:05}", dice.next(99_999)).into()),
                ("city", city.into()),
                ("country", country.into()),
            ],
        ),
        Command::Tag { tag: dice.of(TAGS).to_owned(), at: now },
    ];
    for _ in 0..dice.next(4) {
        let at = now - dice.next(200) as i64 * day - dice.next(80_000_000) as i64;
        let kind = dice.of(&["visit", "call", "email", "meeting"]);
        commands.push(put(
            Collection::Interactions,
            dice.entry(at),
            &[("kind", kind.into()), ("at", at.into()), ("summary", dice.of(TALK).into())],
        ));
    }
    let often = dice.next(9);
    for _ in 0..dice.next(often + 1) {
        let reach = 200 + 60 * dice.next(10);
        let ago = dice.next(reach) as i64;
        let date = chrono::DateTime::from_timestamp_millis(now - ago * day).unwrap_or_default();
        let amount = (dice.next(900) as i64 + 20) * (often as i64 + 1) * 37;
        commands.push(put(
            Collection::Purchases,
            dice.entry(now),
            &[
                ("date", date.format("%Y-%m-%d").to_string().into()),
                ("amount", amount.into()),
                ("currency", if n.is_multiple_of(9) { "DKK" } else { "EUR" }.into()),
            ],
        ));
    }
    if dice.next(5) == 0 {
        let at = now - dice.next(330) as i64 * day;
        commands.push(put(
            Collection::Interactions,
            dice.entry(at),
            &[
                ("kind", "survey".into()),
                ("at", at.into()),
                ("nps", (10 - dice.next(4).min(dice.next(11)) as i64).into()),
                ("comment", dice.of(TALK).into()),
            ],
        ));
    }
    if dice.next(3) == 0 {
        commands.push(put(
            Collection::Consents,
            dice.entry(now),
            &[
                ("channel", "email".into()),
                ("state", dice.of(&["given", "given", "withdrawn"]).into()),
            ],
        ));
    }
    if dice.next(5) == 0 {
        commands.push(set("cadence_days", 42_i64));
    }
    if dice.next(4) == 0 {
        commands.push(set("category", "VIP"));
        commands.push(set("next_visit", "2026-12-04"));
    }
    if dice.next(3) == 0 {
        let amount = (dice.next(9_000) as i64 + 100) * 100;
        let stage = dice.of(&["lead", "qualified", "offer", "negotiation", "won", "lost"]);
        let mut deal: Vec<(&str, Value)> = vec![
            ("title", dice.of(DEAL).into()),
            ("amount", amount.into()),
            ("currency", dice.of(&["EUR", "EUR", "EUR", "DKK"]).into()),
            ("stage", stage.into()),
            ("expected_close", format!("2026-{:02}-15", 11 + dice.next(2)).into()),
        ];
        if stage == "lost" {
            deal.push(("lost_reason", dice.of(&["Price", "Delivery time", "No need"]).into()));
        }
        commands.push(put(Collection::Deals, dice.entry(now), &deal));
        commands.push(put(
            Collection::Tasks,
            dice.entry(now),
            &[("text", "Send the offer".into()), ("due", "2026-11-20".into())],
        ));
    }
    if dice.next(2) == 0 {
        let insert = format!("{} {}", dice.of(TALK), dice.of(TALK));
        commands.push(Command::EditNote {
            splices: vec![Splice {
                at: 0,
                delete: 0,
                insert,
                before: String::new(),
                after: String::new(),
                deleted: String::new(),
                cursor: None,
            }],
        });
    }
    commands
}

/// An edit that a device made without knowing what the office did: sent as the device would.
fn from_device(
    engine: &Engine,
    (device, actor): &(Device, Actor),
    contact: ContactId,
    base: &automerge::Automerge,
    commands: &[Command],
    at: i64,
) -> Result<(), Failure> {
    let mut doc = base.fork();
    let author = Author { by: device.user, at };
    let applied = document::apply(
        &mut doc,
        *actor,
        commands,
        &author,
        &EditOptions::default(),
        &Limits::DEFAULT,
    )?;
    let document::Applied::Change { bytes, .. } = applied else { return Ok(()) };
    let admitted = guard::gate1(&bytes, &Limits::DEFAULT, &[])?;
    engine.append_blocking(AppendRequest {
        workspace: device.workspace,
        device: device.id,
        user: device.user,
        batch: 1,
        changes: vec![(contact, admitted, bytes)],
        vouched: None,
        sealed: SealedBy::Nobody,
    })?;
    Ok(())
}

fn fill(engine: &Engine, count: usize) -> Result<String, Failure> {
    let mut dice = Dice(0x5eed_1234_9876_0001);
    let now = engine.now_ms();
    let workspace = engine.create_workspace("Sample Trading")?;
    let mut ids: Vec<UserId> = Vec::new();
    for (login, name, role) in [
        ("manager", "Office manager", Role::Manager),
        ("north", "Rep north", Role::Rep),
        ("south", "Rep south", Role::Rep),
        ("export", "Rep export", Role::Rep),
        ("auditor", "Auditor", Role::ReadOnly),
    ] {
        let id = UserId::from_random(dice.bytes());
        ids.push(id);
        engine.write(move |tx| {
            people::create_user(tx, workspace, &NewUser { id, login, name, role, team: None }, now)
        })?;
    }
    let (manager, reps) = (ids[0], ids[1..4].to_vec());
    let mut all = Vec::new();
    for chunk in 0..count.div_ceil(200) {
        let batch: Vec<Authored> = (chunk * 200..((chunk + 1) * 200).min(count))
            .map(|n| {
                let id = ContactId::from_time(now as u64 + n as u64, dice.bytes());
                all.push(id);
                Authored::create(id, Some(reps[n % 3]), sample(&mut dice, n, now))
            })
            .collect();
        engine.author(workspace, manager, batch)?;
    }
    let mut made = Vec::new();
    for (n, (user, name, ago_ms, unsent)) in [
        (reps[0], "Phone north", 20_000, 0),
        (reps[1], "Tablet south", 5 * 3_600_000, 14),
        (reps[2], "Phone export", 52 * 3_600_000, 5),
        (reps[2], "Old phone", 400 * 3_600_000, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let id = DeviceId::from_random(dice.bytes());
        let device = Device {
            workspace,
            id,
            user,
            algorithm: KeyAlgorithm::Ed25519,
            public_key: dice.bytes::<32>().to_vec(),
            name: name.to_owned(),
            platform: "Android 16".to_owned(),
            app: "roadbook/0.1.0".to_owned(),
            created_at: now,
            last_seen: None,
            revoked_at: None,
            unsent: 0,
            cursor: 0,
            missing: 0,
        };
        let actor = Actor::from_random(dice.bytes());
        let stored = device.clone();
        engine.write(move |tx| {
            devices::create_device(tx, &stored)?;
            devices::register_actor(tx, workspace, actor, id, now)?;
            let seen = Seen {
                last_seen: now - ago_ms,
                unsent: Some(unsent),
                cursor: Some(if n == 0 { u64::MAX >> 2 } else { 100 }),
                ..Seen::default()
            };
            devices::touch_device(tx, workspace, id, &seen)
        })?;
        made.push((device, actor));
    }
    engine.revoke(workspace, Some(manager), made[3].0.id)?;
    // The office and a rep change the same contacts without seeing each other.
    for (n, id) in all.iter().take(9).enumerate() {
        let base = engine.read(|conn| {
            let contact = contacts::find(conn, workspace, *id)?
                .ok_or_else(|| roadbook_server::store::EngineError::not_found("contact"))?;
            documents::document(conn, workspace, &contact)
        })?;
        if n < 3 {
            let owned =
                Authored::edit(*id, vec![set("job_title", "Chief buyer"), set("category", "VIP")]);
            engine.author(workspace, manager, vec![owned])?;
        }
        let at = now - (n as i64 + 1) * 600_000;
        let visit = put(
            Collection::Interactions,
            dice.entry(at),
            &[
                ("kind", "visit".into()),
                ("at", at.into()),
                ("summary", TALK[n % TALK.len()].into()),
            ],
        );
        let commands =
            if n < 3 { vec![set("job_title", "Head of purchasing"), visit] } else { vec![visit] };
        from_device(engine, &made[n % 3], *id, &base, &commands, at)?;
    }
    let random = dice.bytes();
    let (code, auditor) = (
        engine.write(move |tx| {
            people::new_code(tx, workspace, manager, Purpose::SignIn, random, now, 3_600_000)
        })?,
        ids[4],
    );
    let random = dice.bytes();
    let second = engine.write(move |tx| {
        people::new_code(tx, workspace, auditor, Purpose::SignIn, random, now, 3_600_000)
    })?;
    eprintln!("read-only: {}", office::sign_in::welcome_path(&second));
    Ok(code)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let count = args.next().map_or(Ok(300), |text| text.parse())?;
    let port: u16 = args.next().map_or(Ok(0), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let engine = Engine::open(dir.path(), EngineOptions::default())?;
    let filled = engine.clone();
    let code = tokio::task::spawn_blocking(move || {
        fill(&filled, count).map_err(|error| error.to_string())
    })
    .await??;
    let state = OfficeState::new(
        Arc::clone(&engine),
        OfficeOptions {
            secure: false,
            oidc: None,
            shutdown: tokio_util::sync::CancellationToken::new(),
        },
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}{}", listener.local_addr()?, office::sign_in::welcome_path(&code));
    axum::serve(listener, office::router(state)).await?;
    Ok(())
}
