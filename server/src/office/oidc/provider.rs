//! The identity provider: what it says about itself, its keys, and what it says about somebody.
//!
//! Its description and keys are read when they are first needed and kept for an hour. A token that
//! is signed by a key nobody knows makes the keys be read once more, at most once a minute, so that
//! the provider may change them at any time. A provider that is away is asked again after a few
//! seconds at the earliest; nothing waits for it but the sign-ins that need it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClientAuthMethod, CoreGenderClaim, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims,
    IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::OidcOptions;
use super::fetch::{self, Fetch};
use super::pending::Leave;

/// How long a description is good.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// How long a provider that is away is not asked again.
const AWAY_FOR: Duration = Duration::from_secs(5);
/// Keys are read anew at most so often.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// A claim longer than this names nobody.
const CLAIM_CHARS_MAX: usize = 254;

/// Signatures that are accepted: the provider's own keys. Never `none`, and never the client's
/// secret as a key.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// All claims that the library does not know by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Others(std::collections::BTreeMap<String, serde_json::Value>);

impl AdditionalClaims for Others {}

type Claims = IdTokenClaims<Others, CoreGenderClaim>;
type Token = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    openidconnect::core::CoreTokenType,
>;
type Client = openidconnect::Client<
    Others,
    openidconnect::core::CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    openidconnect::core::CoreAuthPrompt,
    openidconnect::StandardErrorResponse<openidconnect::core::CoreErrorResponseType>,
    Token,
    openidconnect::core::CoreTokenIntrospectionResponse,
    openidconnect::core::CoreRevocableToken,
    openidconnect::core::CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why somebody can't sign in by the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The provider does not answer, or not as a provider; the cause is for the log.
    Away(String),
    /// The provider, or the person there, refused: its own word for it.
    Refused(String),
    /// What it says can't be believed: the reason for the page, and the cause for the log.
    Unproven { reason: &'static str, cause: String },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Away(cause) => f.write_str(cause),
            Trouble::Refused(word) => write!(f, "refused: {word}"),
            Trouble::Unproven { reason, cause } => write!(f, "{reason}: {cause}"),
        }
    }
}

/// What is known of the provider.
#[derive(Clone)]
struct Known {
    about: Arc<CoreProviderMetadata>,
    since: Instant,
}

/// What was last heard.
enum Heard {
    Nothing,
    Away { cause: String, at: Instant },
    Known(Known),
}

pub(super) struct Provider {
    issuer: IssuerUrl,
    id: ClientId,
    secret: Option<ClientSecret>,
    claim: String,
    redirect: RedirectUrl,
    fetch: Fetch,
    // Locked while the provider is asked: a hundred sign-ins ask once.
    heard: Mutex<Heard>,
    keys_read: Mutex<Option<Instant>>,
}

impl Provider {
    /// Nothing is asked yet. `url` is this server's own address.
    ///
    /// # Errors
    /// A text for the operator.
    pub(super) fn new(options: &OidcOptions, url: &str) -> Result<Self, String> {
        if !fetch::acceptable(&options.issuer) {
            return Err(format!(
                "oidc_issuer `{}` must be an https address (http on this machine only)",
                options.issuer
            ));
        }
        let issuer = IssuerUrl::new(options.issuer.clone())
            .map_err(|error| format!("oidc_issuer `{}`: {error}", options.issuer))?;
        let redirect = RedirectUrl::new(format!("{}{}", url.trim_end_matches('/'), super::BACK))
            .map_err(|error| format!("the address `{url}` can't be led back to: {error}"))?;
        Ok(Self {
            issuer,
            id: ClientId::new(options.client_id.clone()),
            secret: options.client_secret.clone().map(ClientSecret::new),
            claim: options.claim.clone(),
            redirect,
            fetch: Fetch::new(options.ca.as_deref())?,
            heard: Mutex::new(Heard::Nothing),
            keys_read: Mutex::new(None),
        })
    }

    /// The issuer, as it calls itself.
    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Where to lead a browser, and what to keep until it comes back with `state`.
    pub(super) async fn leave(
        &self,
        state: String,
        nonce: String,
        next: &str,
    ) -> Result<(String, Leave), Trouble> {
        let about = self.about().await?;
        if !fetch::acceptable(about.authorization_endpoint().as_str()) {
            return Err(Trouble::Away("its sign-in page is not on https".to_owned()));
        }
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let kept = nonce.clone();
        let (address, _, _) = self
            .client(&about)
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let leave = Leave {
            nonce: kept,
            verifier: verifier.secret().clone(),
            next: next.chars().take(2_000).collect(),
        };
        Ok((address.to_string(), leave))
    }

    /// Who somebody is that came back with `code`: the value of the configured claim, out of an ID
    /// token that was verified at `now`.
    pub(super) async fn who(
        &self,
        code: String,
        leave: &Leave,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<String, Trouble> {
        let about = self.about().await?;
        let token: Token = self
            .client(&about)
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Trouble::Away(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(leave.verifier.clone()))
            .request_async(&self.fetch)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(said) => {
                    Trouble::Refused(said.error().to_string())
                }
                RequestTokenError::Request(error) => Trouble::Away(error.to_string()),
                // Never the answer itself into a log: it may hold a token.
                RequestTokenError::Parse(error, _) => Trouble::Unproven {
                    reason: "its answer can't be read",
                    cause: format!("at {}", error.path()),
                },
                RequestTokenError::Other(cause) => {
                    Trouble::Unproven { reason: "its answer can't be read", cause }
                }
            })?;
        let nonce = Nonce::new(leave.nonce.clone());
        let first = self.verified(&about, &token, &nonce, now);
        let claims = match first {
            Err(Checked::UnknownKey) => {
                self.verified(&*self.fresh_keys(about).await?, &token, &nonce, now)
            }
            other => other,
        }
        .map_err(Checked::trouble)?;
        self.claim_of(&claims)
    }

    fn verified(
        &self,
        about: &CoreProviderMetadata,
        token: &Token,
        nonce: &Nonce,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Claims, Checked> {
        let given = token.id_token().ok_or_else(|| {
            Checked::No(Trouble::Unproven { reason: "it sent no ID token", cause: String::new() })
        })?;
        let client = self.client(about);
        let verifier =
            client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || now);
        given.claims(&verifier, nonce).cloned().map_err(Checked::from)
    }

    fn claim_of(&self, claims: &Claims) -> Result<String, Trouble> {
        let missing = |cause: &str| Trouble::Unproven {
            reason: "it does not say who you are here",
            cause: format!("claim `{}`: {cause}", self.claim),
        };
        let all = serde_json::to_value(claims).map_err(|error| missing(&error.to_string()))?;
        // Some providers let people write any address into their profile: only what the provider
        // itself has verified names anybody.
        if self.claim == "email" && all.get("email_verified") != Some(&true.into()) {
            return Err(Trouble::Unproven {
                reason: "it has not verified your email address",
                cause: "claim `email_verified` is not true; name another claim in oidc_claim if the provider never sends it".to_owned(),
            });
        }
        let value = all.get(&self.claim).and_then(serde_json::Value::as_str).map(str::trim);
        match value {
            Some(value) if (1..=CLAIM_CHARS_MAX).contains(&value.chars().count()) => {
                Ok(value.to_owned())
            }
            Some(_) => Err(missing("empty, or too long")),
            None => Err(missing("not in the ID token, or no text")),
        }
    }

    fn client(&self, about: &CoreProviderMetadata) -> Client {
        let client =
            Client::from_provider_metadata(about.clone(), self.id.clone(), self.secret.clone())
                .set_redirect_uri(self.redirect.clone());
        // The default of the specification is Basic.
        let basic = about
            .token_endpoint_auth_methods_supported()
            .is_none_or(|ways| ways.contains(&CoreClientAuthMethod::ClientSecretBasic));
        client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody })
    }

    /// The provider's description and keys.
    async fn about(&self) -> Result<Arc<CoreProviderMetadata>, Trouble> {
        let mut heard = self.heard.lock().await;
        match &*heard {
            Heard::Known(known) if known.since.elapsed() < KNOWN_FOR => {
                return Ok(known.about.clone());
            }
            Heard::Away { cause, at } if at.elapsed() < AWAY_FOR => {
                return Err(Trouble::Away(cause.clone()));
            }
            _ => {}
        }
        match CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch).await {
            Ok(about) => {
                let about = Arc::new(about);
                *heard = Heard::Known(Known { about: about.clone(), since: Instant::now() });
                Ok(about)
            }
            Err(error) => {
                let cause = causes(&error);
                *heard = Heard::Away { cause: cause.clone(), at: Instant::now() };
                Err(Trouble::Away(cause))
            }
        }
    }

    /// The description with its keys as they are now; with those of a moment ago, if they were read
    /// then.
    async fn fresh_keys(
        &self,
        about: Arc<CoreProviderMetadata>,
    ) -> Result<Arc<CoreProviderMetadata>, Trouble> {
        let mut read = self.keys_read.lock().await;
        if read.is_some_and(|at| at.elapsed() < KEYS_EVERY) {
            // Perhaps by somebody else, while this one waited.
            return Ok(match &*self.heard.lock().await {
                Heard::Known(known) => known.about.clone(),
                _ => about,
            });
        }
        *read = Some(Instant::now());
        let keys = CoreJsonWebKeySet::fetch_async(about.jwks_uri(), &self.fetch)
            .await
            .map_err(|error| Trouble::Away(causes(&error)))?;
        let about = Arc::new((*about).clone().set_jwks(keys));
        if let Heard::Known(known) = &mut *self.heard.lock().await {
            known.about = about.clone();
        }
        Ok(about)
    }
}

/// What came of verifying a token.
enum Checked {
    UnknownKey,
    No(Trouble),
}

impl Checked {
    fn trouble(self) -> Trouble {
        match self {
            Checked::No(trouble) => trouble,
            Checked::UnknownKey => Trouble::Unproven {
                reason: "its answer is signed with a key that it does not publish",
                cause: "no key of that id and kind".to_owned(),
            },
        }
    }
}

impl From<ClaimsVerificationError> for Checked {
    fn from(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as E;
        let reason = match &error {
            E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                return Checked::UnknownKey;
            }
            E::SignatureVerification(_) => "its answer is not signed as it must be",
            E::Expired(_) => "its answer has expired",
            E::InvalidAudience(_) => "its answer was made for another program",
            E::InvalidIssuer(_) => "its answer comes from another issuer",
            E::InvalidNonce(_) => "its answer belongs to another sign-in",
            _ => "its answer can't be verified",
        };
        Checked::No(Trouble::Unproven { reason, cause: error.to_string() })
    }
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    // An answer that is no description may be a whole page.
    text.chars().take(500).collect()
}
