//! Who keeps the keys of the replica, and asking for the passphrase.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use roadbook_client_core::keys::{KeptBy, KeyStore, Keyring, Laptop, Passphrase};
use serde_json::json;

use crate::args::KeyVerb;
use crate::error::Failure;
use crate::output::Output;

/// Longer ones are a mistaken file.
const PASSPHRASE_BYTES_MAX: usize = 1024;

/// The keys of the replica in `home`; asks for the passphrase where they have one.
pub fn store(home: &Path, typed: Option<&Path>) -> Result<Arc<dyn KeyStore>, Failure> {
    let laptop = laptop(home);
    let passphrase = if laptop.is_sealed() { passphrase(typed, "Passphrase: ")? } else { None };
    Ok(laptop.open(passphrase.as_ref())?)
}

/// The secrets of the replica in `home`, with the keyring of the desktop where there is one.
fn laptop(home: &Path) -> Laptop<'_> {
    Laptop::new(home).with_keyring(keyring())
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
fn keyring() -> Option<Arc<dyn Keyring>> {
    Some(Arc::new(crate::secret_service::SecretService::here()?))
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
fn keyring() -> Option<Arc<dyn Keyring>> {
    None
}

/// `key` and what stands below it.
pub fn run(
    home: &Path,
    out: &Output,
    typed: Option<&Path>,
    verb: Option<&KeyVerb>,
) -> Result<(), Failure> {
    let laptop = laptop(home);
    let present = |prompt| match laptop.is_sealed() {
        true => passphrase(typed, prompt),
        false => Ok(None),
    };
    match verb {
        None => {}
        Some(KeyVerb::Passphrase { new_file }) => {
            let old = present("Present passphrase: ")?;
            let new = match new_file {
                Some(file) => read(file)?,
                None => ask_twice()?,
            };
            laptop.set_passphrase(old.as_ref(), &new)?;
        }
        Some(KeyVerb::Keyring) => laptop.set_keyring(present("Passphrase: ")?.as_ref())?,
        Some(KeyVerb::File) if laptop.kept_by() == KeptBy::File => {}
        Some(KeyVerb::File) => laptop.set_files(present("Passphrase: ")?.as_ref())?,
    }
    let kept_by = laptop.kept_by();
    out.print(&json!({ "keys_kept_by": kept_by }), || match kept_by {
        KeptBy::Passphrase => {
            "the keys are sealed under a passphrase; without it nothing here can be read, and nobody can restore it"
                .to_owned()
        }
        KeptBy::Keyring => {
            "the keys are kept by the keyring of the desktop, which opens when you sign in to it".to_owned()
        }
        _ => {
            "the keys are kept by a file: whoever gets this disk can read the contacts; `roadbook key keyring` gives them to the keyring of the desktop, `roadbook key passphrase` seals them"
                .to_owned()
        }
    })
}

/// The passphrase: from the file, or from the person at the terminal; `None` where there is neither.
fn passphrase(typed: Option<&Path>, prompt: &str) -> Result<Option<Passphrase>, Failure> {
    match typed {
        Some(file) => read(file).map(Some),
        None if std::io::stdin().is_terminal() => ask(prompt).map(Some),
        None => Ok(None),
    }
}

/// The first line of a file.
fn read(file: &Path) -> Result<Passphrase, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::io(file.display().to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.len() > PASSPHRASE_BYTES_MAX {
        return Err(Failure::Usage(format!("{} holds no passphrase", file.display())));
    }
    Ok(Passphrase::from(line))
}

fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    rpassword::prompt_password(prompt).map(Passphrase::from).map_err(Failure::io("the terminal"))
}

fn ask_twice() -> Result<Passphrase, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to type the new passphrase at; name a file with --new-file"
                .into(),
        ));
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map_err(Failure::io("the terminal"));
    let (first, second) = (ask("New passphrase: ")?, ask("Again: ")?);
    if first != second {
        return Err(Failure::Usage("the two are not the same; nothing was changed".into()));
    }
    Ok(Passphrase::from(first))
}
