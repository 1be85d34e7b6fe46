//! What seals the secrets of second factors: a key in a file beside the signing keys, which no backup of
//! the database holds. Who finds a backup can't make anybody's codes.
//!
//! Where the file is lost, codes can't be checked any more; the operator turns second factors off
//! (`user second-factor off LOGIN`), and their owners set them up anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use roadbook_protocol::ids::{UserId, WorkspaceId};

use crate::engine::{Engine, keys};
use crate::store::EngineError;

const FILE: &str = "second-factor.key";
const KEY_BYTES: usize = 32;

fn path(engine: &Engine) -> PathBuf {
    engine.dir().join(keys::KEYS_DIR).join(FILE)
}

/// The key; made if there is none.
fn key(engine: &Engine) -> Result<LessSafeKey, EngineError> {
    let path = path(engine);
    let failed = |source| EngineError::Io { path: path.clone(), source };
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let bytes: [u8; KEY_BYTES] = engine.random();
            match write(&path, &bytes) {
                Ok(()) => bytes.to_vec(),
                // Another request was first.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    fs::read(&path).map_err(failed)?
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(error) => return Err(failed(error)),
    };
    UnboundKey::new(&AES_256_GCM, &bytes)
        .map(LessSafeKey::new)
        .map_err(|_| EngineError::damaged(path.display().to_string(), "it is no key of 32 bytes"))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whole or not at all: it gets its name when it is on the disk.
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let outcome = options.open(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&part, path)?;
        File::open(dir)?.sync_all()
    });
    let _ = fs::remove_file(&part);
    outcome
}

/// Bound to one person: what is sealed for one opens for nobody else.
fn whose(workspace: WorkspaceId, user: UserId) -> Aad<[u8; 32]> {
    let mut text = [0; 32];
    text[..16].copy_from_slice(workspace.as_bytes());
    text[16..].copy_from_slice(user.as_bytes());
    Aad::from(text)
}

/// Seals a secret: the nonce, then the secret and its tag.
///
/// # Errors
/// [`EngineError::Io`] where the key can't be read or made.
pub(super) fn seal(
    engine: &Engine,
    workspace: WorkspaceId,
    user: UserId,
    secret: &[u8],
) -> Result<Vec<u8>, EngineError> {
    let nonce: [u8; NONCE_LEN] = engine.random();
    let mut sealed = secret.to_vec();
    key(engine)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            whose(workspace, user),
            &mut sealed,
        )
        .map_err(|_| EngineError::damaged("the second factor", "it could not be sealed"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens a sealed secret.
///
/// # Errors
/// [`EngineError::Damaged`] where the key is another than the one that sealed it.
pub(super) fn open(
    engine: &Engine,
    workspace: WorkspaceId,
    user: UserId,
    sealed: &[u8],
) -> Result<Vec<u8>, EngineError> {
    let damaged = || {
        EngineError::damaged(
            "a second factor",
            format!(
                "{} does not open it; bring the file back that was there, or turn the factor off with `user second-factor off LOGIN`",
                path(engine).display()
            ),
        )
    };
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let mut secret = sealed.to_vec();
    let length = key(engine)?
        .open_in_place(nonce, whose(workspace, user), &mut secret)
        .map_err(|_| damaged())?
        .len();
    secret.truncate(length);
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;

    #[test]
    fn a_secret_opens_for_its_owner_only_and_under_its_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), EngineOptions::default()).unwrap();
        let workspace = WorkspaceId::from_bytes([1; 16]);
        let (anna, ben) = (UserId::from_bytes([2; 16]), UserId::from_bytes([3; 16]));
        let sealed = seal(&engine, workspace, anna, b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(open(&engine, workspace, anna, &sealed).unwrap(), b"secret");
        assert!(open(&engine, workspace, ben, &sealed).is_err());
        assert!(open(&engine, workspace, anna, &sealed[..5]).is_err());
        fs::remove_file(path(&engine)).unwrap();
        let error = open(&engine, workspace, anna, &sealed).unwrap_err().to_string();
        assert!(error.contains("second-factor off"), "{error}");
    }
}
