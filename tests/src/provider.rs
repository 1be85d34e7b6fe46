//! An identity provider (OpenID Connect) that says whatever a test wants, right or wrong.
//!
//! It signs with ES256 or RS256, checks PKCE and the client's secret as a good provider does, and counts what
//! it is asked. It ends with its owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::http::encode;
use crate::scene::Scene;

/// The name under which the office is registered.
pub const CLIENT: &str = "roadbook";
/// The secret of that registration.
const SECRET: &str = "a secret that only the two know";

/// What is wrong with the next tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bend {
    /// Nothing.
    Nothing,
    /// It answers another sign-in.
    Nonce,
    /// It was made for another program.
    Audience,
    /// It was made for this program and another, which nobody here trusts.
    AlsoForAnother,
    /// It has expired.
    Expired,
    /// Another provider made it.
    Issuer,
    /// It is not signed: `alg` is `none`.
    Unsigned,
    /// It is signed with the client's secret (HS256).
    SignedWithSecret,
    /// Its signature is that of another token.
    Signature,
    /// It is signed with a key that is not published.
    UnknownKey,
    /// The address was not verified.
    UnverifiedEmail,
    /// The claim is missing.
    NoClaim,
    /// There is no ID token in the answer.
    NoToken,
}

/// Made for these tests, with `openssl genpkey -algorithm RSA`; it opens nothing anywhere else.
const RSA: &[u8] = include_bytes!("provider.rsa.pk8");

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

struct Key {
    id: String,
    pair: Pair,
}

impl Key {
    fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Pair::Ec(pair) }
    }

    fn rsa(id: &str) -> Self {
        Self { id: id.to_owned(), pair: Pair::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap()) }
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    fn public(&self) -> Value {
        let mut key = match &self.pair {
            Pair::Ec(pair) => {
                // An uncompressed point: 4, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } =
                    PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": base64(&n), "e": base64(&e) })
            }
        };
        key["use"] = "sig".into();
        key["alg"] = self.algorithm().into();
        key["kid"] = self.id.clone().into();
        key
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }
}

/// What was asked for when a code was given.
struct Given {
    nonce: String,
    challenge: String,
    redirect: String,
}

/// How often the provider was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// For its description.
    pub about: usize,
    /// For its keys.
    pub keys: usize,
    /// For a token.
    pub tokens: usize,
}

struct Inner {
    url: String,
    key: Key,
    hidden: Key,
    email: String,
    bend: Bend,
    codes: HashMap<String, Given>,
    asked: Asked,
    made: usize,
}

type Shared = Arc<Mutex<Inner>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap()
}

/// A running provider.
pub struct Provider {
    inner: Shared,
    end: CancellationToken,
}

impl Provider {
    /// A provider that knows one person, by this address.
    pub fn new(email: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            url,
            key: Key::new("first"),
            hidden: Key::new("hidden"),
            email: email.to_owned(),
            bend: Bend::Nothing,
            codes: HashMap::new(),
            asked: Asked::default(),
            made: 0,
        }));
        let end = CancellationToken::new();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(about))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(inner.clone());
        let ended = end.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let serve = axum::serve(listener, router);
                tokio::select! { _ = serve => {}, () = ended.cancelled() => {} }
            });
        });
        Self { inner, end }
    }

    /// A server whose people sign in by this provider.
    #[track_caller]
    pub fn office(&self) -> Scene {
        self.office_with(&[])
    }

    /// The same with these further arguments of `serve`.
    #[track_caller]
    pub fn office_with(&self, args: &[&str]) -> Scene {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
        let (url, file) = (self.url(), secret.path().to_str().unwrap());
        let mut all = vec![
            "--oidc-issuer",
            &url,
            "--oidc-client-id",
            CLIENT,
            "--oidc-name",
            "Firm",
            "--oidc-client-secret-file",
            file,
        ];
        all.extend(args);
        Scene::with(&all)
    }

    /// Its address, which is its name as issuer.
    pub fn url(&self) -> String {
        lock(&self.inner).url.clone()
    }

    /// Knows somebody else from now on.
    pub fn knows(&self, email: &str) {
        lock(&self.inner).email = email.to_owned();
    }

    /// What is wrong with tokens from now on.
    pub fn bend(&self, bend: Bend) {
        lock(&self.inner).bend = bend;
    }

    /// Signs with a new key from now on; only that one is published.
    pub fn rotate(&self) {
        lock(&self.inner).key = Key::new("second");
    }

    /// Signs with an RSA key from now on, as most providers do.
    pub fn sign_with_rsa(&self) {
        lock(&self.inner).key = Key::rsa("rsa");
    }

    /// How often it was asked.
    pub fn asked(&self) -> Asked {
        lock(&self.inner).asked
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn about(State(shared): State<Shared>) -> Json<Value> {
    let mut inner = lock(&shared);
    inner.asked.about += 1;
    let url = &inner.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // A careless provider: what it offers must not widen what is accepted.
        "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
    }))
}

async fn keys(State(shared): State<Shared>) -> Json<Value> {
    let mut inner = lock(&shared);
    inner.asked.keys += 1;
    Json(json!({ "keys": [inner.key.public()] }))
}

/// Everybody who is led here is signed in at once.
async fn authorize(
    State(shared): State<Shared>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let mut inner = lock(&shared);
    let text = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let fits = text("client_id") == CLIENT
        && text("response_type") == "code"
        && text("code_challenge_method") == "S256"
        && text("scope").split(' ').any(|scope| scope == "openid")
        && !text("state").is_empty();
    if !fits {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    inner.made += 1;
    let code = format!("code-{}", inner.made);
    let redirect = text("redirect_uri");
    let to = format!("{redirect}?code={code}&state={}", text("state"));
    let given = Given { nonce: text("nonce"), challenge: text("code_challenge"), redirect };
    inner.codes.insert(code, given);
    Redirect::to(&to).into_response()
}

async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut inner = lock(&shared);
    inner.asked.tokens += 1;
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let refused =
        |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    // The client's name and secret, percent-encoded, as Basic.
    let pair = format!("{}:{}", encode(CLIENT), encode(SECRET).replace("%20", "+"));
    let basic = format!("Basic {}", base64_padded(pair.as_bytes()));
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != basic.as_bytes()) {
        return refused("invalid_client");
    }
    // A code is good once.
    let Some(given) = inner.codes.remove(&text("code")) else { return refused("invalid_grant") };
    let digest = ring::digest::digest(&ring::digest::SHA256, text("code_verifier").as_bytes());
    if base64(digest.as_ref()) != given.challenge || text("redirect_uri") != given.redirect {
        return refused("invalid_grant");
    }
    let mut answer =
        json!({ "access_token": "nothing", "token_type": "Bearer", "expires_in": 300 });
    if inner.bend != Bend::NoToken {
        answer["id_token"] = inner.id_token(&given.nonce).into();
    }
    Json(answer).into_response()
}

impl Inner {
    fn id_token(&self, nonce: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.url, "sub": "somebody-1", "aud": CLIENT, "nonce": nonce,
            "iat": now, "exp": now + 300, "email": self.email, "email_verified": true,
        });
        let mut header = json!({ "alg": self.key.algorithm(), "typ": "JWT", "kid": self.key.id });
        match self.bend {
            Bend::Nonce => claims["nonce"] = "of another sign-in".into(),
            Bend::Audience => claims["aud"] = "another program".into(),
            Bend::AlsoForAnother => claims["aud"] = json!([CLIENT, "another program"]),
            Bend::Expired => {
                claims["iat"] = (now - 7_200).into();
                claims["exp"] = (now - 3_600).into();
            }
            Bend::Issuer => claims["iss"] = "http://127.0.0.1:9".into(),
            Bend::UnverifiedEmail => claims["email_verified"] = false.into(),
            Bend::NoClaim => {
                claims.as_object_mut().unwrap().remove("email");
            }
            Bend::Unsigned => header = json!({ "alg": "none" }),
            Bend::SignedWithSecret => header = json!({ "alg": "HS256" }),
            Bend::UnknownKey => {
                header = json!({ "alg": "ES256", "kid": self.hidden.id });
            }
            Bend::Nothing | Bend::Signature | Bend::NoToken => {}
        }
        let text = format!(
            "{}.{}",
            base64(header.to_string().as_bytes()),
            base64(claims.to_string().as_bytes())
        );
        let signature = match self.bend {
            Bend::Unsigned => Vec::new(),
            Bend::SignedWithSecret => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
                ring::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            Bend::UnknownKey => self.hidden.sign(&text),
            Bend::Signature => self.key.sign("another text"),
            _ => self.key.sign(&text),
        };
        format!("{text}.{}", base64(&signature))
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base 64 for addresses, without padding.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            out.push(char::from(LETTERS[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    out
}

/// Base 64 as headers have it.
fn base64_padded(bytes: &[u8]) -> String {
    let mut out = base64(bytes).replace('-', "+").replace('_', "/");
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
