//! Passwords: Argon2id, a few at a time.
//!
//! One hash takes about 19 MiB and some ten milliseconds of a core, so hashing never runs on the
//! async threads and never more than [`AT_ONCE`] times at once.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// So many hashes are computed at once; further ones wait.
const AT_ONCE: usize = 2;
/// The shortest password.
pub(super) const CHARS_MIN: usize = 10;
/// The longest password: more would only cost time.
pub(super) const BYTES_MAX: usize = 512;

/// What is verified where a login is unknown, so that the answer takes as long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

/// The semaphore around hashing.
#[derive(Clone)]
pub(super) struct Hashing(Arc<Semaphore>);

impl Hashing {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// The PHC string of a password, with a fresh salt.
    pub(super) async fn hash(&self, password: String) -> Result<String, String> {
        self.run(move || hash_now(&password)).await?
    }

    /// Whether the password fits the PHC string. Without one the work is done all the same and the
    /// answer is no.
    pub(super) async fn verify(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<bool, String> {
        self.run(move || {
            let known = phc.is_some();
            let phc = phc.unwrap_or_else(|| NOBODY.clone());
            PasswordHash::new(&phc).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            }) && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let _permit =
            self.0.acquire().await.map_err(|_| "the server is shutting down".to_owned())?;
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
    }
}

/// What is asked of a new password, for a hint.
pub(super) fn rule() -> String {
    t!("password-rule", n = CHARS_MIN as u64)
}

/// Why a new password is not taken, if it is not.
pub(super) fn refuse(password: &str, login: &str) -> Option<String> {
    if password.chars().count() < CHARS_MIN {
        return Some(t!("password-short", n = CHARS_MIN as u64));
    }
    if password.len() > BYTES_MAX {
        return Some(t!("password-long", n = BYTES_MAX as u64));
    }
    let first = password.chars().next();
    if password.chars().all(|c| Some(c) == first)
        || password.to_lowercase().contains(&login.to_lowercase())
    {
        return Some(t!("password-easy"));
    }
    None
}

fn hash_now(password: &str) -> Result<String, String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| format!("hashing the password failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let hashing = Hashing::new();
        let phc = hashing.hash("correct horse battery".into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert!(hashing.verify("correct horse battery".into(), Some(phc.clone())).await.unwrap());
        assert!(!hashing.verify("correct horse".into(), Some(phc)).await.unwrap());
        assert!(!hashing.verify("nobody has this password".into(), None).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_a_way_out() {
        assert!(refuse("short", "anna").unwrap().contains("10 characters"));
        assert!(refuse("aaaaaaaaaaaaaa", "anna").is_some());
        assert!(refuse("xxANNAxx1234", "anna").is_some());
        assert_eq!(refuse("correct horse battery", "anna"), None);
    }
}
