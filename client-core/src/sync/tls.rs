//! Trust: the system's roots, or the server's public key pinned at enrolment.

use std::sync::Arc;

use ring::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::dates::{Dated, Time};
use crate::error::{Error, Result};

/// The SHA-256 of a certificate's public key (its SubjectPublicKeyInfo, DER).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads hexadecimal, with or without colons and spaces, in any case.
    ///
    /// # Errors
    /// [`Error::Untrusted`] saying what a fingerprint looks like.
    pub(crate) fn parse(text: &str) -> Result<Fingerprint> {
        let lower = text.trim().to_ascii_lowercase();
        let digits =
            lower.strip_prefix("sha256:").or(lower.strip_prefix("sha-256:")).unwrap_or(&lower);
        let digits: String = digits.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| Error::Untrusted {
            reason: format!(
                "`{text}` is not a fingerprint; it has 64 hexadecimal digits, the server prints it when it starts"
            ),
        })?;
        Ok(Fingerprint(bytes))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a server's certificate is judged by.
pub(crate) struct Trust<'a> {
    /// The server's key, where it was pinned at enrolment: nothing else counts then.
    pub pin: Option<Fingerprint>,
    /// Certificate authorities (DER) in place of the system's.
    pub authorities: Option<&'a [Vec<u8>]>,
    /// The time that its dates are judged by.
    pub time: Time,
}

/// The configuration for a connection, and what is in doubt once it is open.
pub(crate) fn config(trust: &Trust<'_>) -> Result<(Arc<ClientConfig>, Option<Arc<Dated>>)> {
    // Named, not the process-wide default: another library may have installed another one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |error: rustls::Error| Error::Untrusted { reason: error.to_string() };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    if let Some(pin) = trust.pin {
        let config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned::new(pin, &provider)))
            .with_no_client_auth();
        return Ok((Arc::new(config), None));
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = match trust.authorities {
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        Some(given) => roots.add_parsable_certificates(
            given.iter().map(|der| CertificateDer::from(der.as_slice())),
        ),
    };
    if added == 0 {
        return Err(Error::Untrusted {
            reason: "this system has no root certificates; install its `ca-certificates`, or pin \
                     the server's key with --fingerprint"
                .into(),
        });
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::Untrusted { reason: error.to_string() })?;
    let dated = Arc::new(Dated::new(verifier, trust.time));
    let config =
        builder.dangerous().with_custom_certificate_verifier(dated.clone()).with_no_client_auth();
    Ok((Arc::new(config), Some(dated)))
}

/// Accepts one key and nothing else, whatever the certificate around it says: its dates and names
/// don't matter, since the key was handed over with the enrolment code.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(pin: Fingerprint, provider: &CryptoProvider) -> Self {
        Self { pin, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let key = certificate.subject_public_key_info();
        let found = digest::digest(&digest::SHA256, key.as_ref());
        if found.as_ref() == self.pin.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(format!(
            "its key has the fingerprint {}, expected was {}; if you are in a hotel or on a train, open a \
             browser and sign in to the network first; if the server got a new key on purpose, enrol \
             again with the new fingerprint (your edits are kept)",
            hex::encode(found.as_ref()),
            self.pin
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_any_of_its_usual_forms() {
        let plain = "0123456789abcdef".repeat(4);
        let colons: Vec<String> = plain
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        let expected = Fingerprint::parse(&plain).unwrap();
        assert_eq!(Fingerprint::parse(&colons.join(":")).unwrap(), expected);
        assert_eq!(Fingerprint::parse(&format!(" SHA256:{plain} ")).unwrap(), expected);
        assert_eq!(expected.to_string(), plain);
        for bad in ["", "abc", &plain[1..], &format!("{plain}0"), "é".repeat(32).as_str()] {
            assert!(Fingerprint::parse(bad).is_err(), "{bad}");
        }
    }
}
