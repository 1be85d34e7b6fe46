//! The scene: three devices in the air, the office on the ground.

use std::time::{Duration, Instant};

use roadbook_client_core::{Receipt, Topic};
use roadbook_protocol::document::{Collection, Command, Value};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::generate::Generator;
use roadbook_tests::local::Device;

use crate::report::Report;
use crate::stage::{Failure, Stage};

/// How many contacts phone and laptop edit, each; ten of them are the shared ones.
const EDITED: usize = 30;
/// On how many of the shared contacts all sides write different values into the same field.
const CONFLICTS: usize = 5;

/// What one side writes: into the field that is contested, and into one that nobody else touches.
#[derive(Clone, Copy)]
struct Side {
    title: &'static str,
    own: (&'static str, &'static str),
}

const PHONE: Side = Side { title: "Head of purchasing", own: ("category", "Key account") };
const LAPTOP: Side = Side { title: "Chief buyer", own: ("industry", "Wholesale") };
const COLLEAGUE: Side = Side { title: "Category manager", own: ("source", "Trade fair") };
const OFFICE_SAYS: &str = "mornings, before nine";

/// Plays it and reports.
pub async fn play(stage: &Stage) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut generator = Generator::new(77);

    step("three devices are enrolled and filled");
    let mut phone = stage.device("north", "phone", "phone").await?;
    let mut laptop = stage.device("north", "laptop", "laptop").await?;
    let mut colleague = stage.device("south", "colleague", "colleague's phone").await?;
    for device in [&phone, &laptop, &colleague] {
        let start = Instant::now();
        device.sync().await;
        let status = device.replica.status()?;
        let name = status.device.map_or_else(String::new, |device| device.name);
        println!(
            "    {name}: {} contacts in {:.2} s",
            status.contacts,
            start.elapsed().as_secs_f64()
        );
    }

    step("all three are offline now, and edit; the office edits too");
    let shared = &stage.shared;
    let own: Vec<ContactId> =
        phone.replica.ids(None)?.into_iter().filter(|id| !shared.contains(id)).take(40).collect();
    let (for_phone, for_laptop) = own.split_at(EDITED - shared.len());
    let mut made = 0;
    made += edit(&phone, for_phone, "phone", &mut generator)?;
    made += edit(&laptop, for_laptop, "laptop", &mut generator)?;
    for (n, id) in shared.iter().enumerate() {
        // The same field on five of them, different fields on the others.
        let sides = [(&phone, PHONE), (&laptop, LAPTOP), (&colleague, COLLEAGUE)];
        for (device, side) in sides {
            let (field, value) = if n < CONFLICTS { ("job_title", side.title) } else { side.own };
            made += set(device, *id, field, value)?;
        }
        made += note(&phone, *id, "Seen at the fair. ")?;
        made += note(&colleague, *id, "Asked for samples. ")?;
        let value = Some(Value::from(OFFICE_SAYS));
        stage
            .office_edits(*id, vec![Command::Set { field: "best_time_to_call".into(), value }])
            .await?;
    }
    let unsent: u64 = [&phone, &laptop, &colleague]
        .iter()
        .map(|device| device.replica.status().map(|status| status.unsent))
        .sum::<Result<u64, _>>()?;
    println!("    {made} edits made offline, {unsent} of them unsent");
    report.equal("edits made offline and kept", unsent, made);

    step("they come back, one after the other, while the first stays online");
    let back = Instant::now();
    phone.go_online();
    laptop.go_online();
    colleague.go_online();
    for device in [&phone, &laptop, &colleague] {
        until(device, |status| status.unsent == 0 && status.stored_not_merged == 0).await?;
    }
    println!("    everything acknowledged and merged after {:.2} s", back.elapsed().as_secs_f64());

    let mut merged = 0;
    for device in [&phone, &laptop, &colleague] {
        merged +=
            device.replica.outbox(true)?.iter().filter(|e| e.receipt == Receipt::Merged).count()
                as u64;
    }
    report.equal("edits acknowledged as durable and merged", merged, made);

    let on_server = stage.state_hash(shared).await?;
    for device in [&phone, &laptop, &colleague] {
        let hash = converged(device, shared, &on_server).await?;
        let name = device.replica.status()?.device.map_or_else(String::new, |device| device.name);
        report.equal(
            &format!("state hash of the shared contacts: {name}"),
            hash,
            on_server.clone(),
        );
    }
    let all = phone.replica.ids(None)?;
    let hash = stage.state_hash(&all).await?;
    report.equal(
        "state hash of all contacts: phone",
        converged(&phone, &all, &hash).await?,
        hash.clone(),
    );
    report.equal(
        "state hash of all contacts: laptop",
        converged(&laptop, &all, &hash).await?,
        hash,
    );

    for device in [&phone, &laptop, &colleague] {
        let conflicts = device.replica.conflicts(None)?;
        let name = device.replica.status()?.device.map_or_else(String::new, |device| device.name);
        report.equal(&format!("conflicts shown: {name}"), conflicts.len(), CONFLICTS);
        let sides = conflicts.iter().all(|conflict| conflict.values.len() == 3);
        report.claim(&format!("each with all three values: {name}"), "", sides);
    }
    let mut intact = 0;
    for (n, id) in shared.iter().enumerate() {
        let contact = laptop.replica.contact(*id)?;
        let sides = [PHONE, LAPTOP, COLLEAGUE];
        let fields =
            n < CONFLICTS || sides.iter().all(|side| contact.text(side.own.0) == side.own.1);
        let notes = contact.note.contains("Seen at the fair.")
            && contact.note.contains("Asked for samples.");
        intact += usize::from(fields && notes && contact.text("best_time_to_call") == OFFICE_SAYS);
    }
    report.equal("contacts with every side's edit in them", intact, shared.len());

    step("the rep decides one conflict; everybody sees it");
    let conflict =
        phone.replica.conflicts(None)?.into_iter().next().ok_or("no conflict to decide")?;
    phone.replica.resolve(conflict.contact_id, &conflict.field, Some(PHONE.title.into()))?;
    let start = Instant::now();
    for device in [&laptop, &colleague] {
        until(device, |status| status.conflicts == CONFLICTS as u64 - 1).await?;
    }
    report.claim(
        "the decision reached the others",
        format!("{:.0} ms", start.elapsed().as_secs_f64() * 1e3),
        true,
    );
    report.claim("the server's own check is clean", "", stage.is_clean().await?);
    for device in [&mut phone, &mut laptop, &mut colleague] {
        device.go_offline().await;
        device.replica.close();
    }
    Ok(report)
}

fn step(what: &str) {
    println!("  - {what}");
}

/// A field and a visit on each contact.
fn edit(
    device: &Device,
    ids: &[ContactId],
    who: &str,
    generator: &mut Generator,
) -> Result<u64, Failure> {
    let mut made = 0;
    for id in ids {
        made += set(device, *id, "category", &format!("set by the {who}"))?;
        let visit = generator.interaction();
        debug_assert!(matches!(&visit, Command::Put { collection: Collection::Interactions, .. }));
        made += u64::from(device.replica.edit(*id, &[visit])?.saved().is_some());
    }
    Ok(made)
}

fn set(device: &Device, id: ContactId, field: &str, value: &str) -> Result<u64, Failure> {
    let command = Command::Set { field: field.into(), value: Some(value.into()) };
    Ok(u64::from(device.replica.edit(id, &[command])?.saved().is_some()))
}

/// Writes at the beginning of the note.
fn note(device: &Device, id: ContactId, text: &str) -> Result<u64, Failure> {
    let wanted = format!("{text}{}", device.replica.contact(id)?.note);
    let splices = device.replica.note_splices(id, &wanted)?;
    Ok(u64::from(device.replica.edit(id, &[Command::EditNote { splices }])?.saved().is_some()))
}

/// Waits for notices until the status is as wanted.
async fn until(
    device: &Device,
    wanted: impl Fn(&roadbook_client_core::Status) -> bool,
) -> Result<(), Failure> {
    let mut sync = device.replica.observe(Topic::Sync);
    let mut list = device.replica.observe(Topic::List);
    while !wanted(&device.replica.status()?) {
        tokio::select! {
            _ = sync.next() => {}
            _ = list.next() => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => {
                return Err(format!("nothing happened for 30 s: {:?}", device.replica.status()?).into());
            }
        }
    }
    Ok(())
}

/// Waits until the device's hash of these contacts is the wanted one, and gives it; after 30 s
/// without a notice, whatever it is.
async fn converged(device: &Device, ids: &[ContactId], wanted: &str) -> Result<String, Failure> {
    let mut list = device.replica.observe(Topic::List);
    loop {
        let hash = device.replica.state_hash(Some(ids))?.hash;
        if hash == wanted {
            return Ok(hash);
        }
        tokio::select! {
            _ = list.next() => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => return Ok(hash),
        }
    }
}
