//! The dates of a server's certificate, judged on a device whose clock may be wrong by years (rule 21).
//!
//! They are judged by the server's time as the device knows it from the last contact, not by the wall
//! clock. A reboot with a wrong clock can make that wrong too. So where everything about a
//! certificate is right but its dates, and the wall clock disagrees with the known time, the
//! handshake goes on with a [`Doubt`]; the server's first word then has to prove the time with the
//! workspace's key, and the certificate has to fit that time. Before it does, no edit goes up and
//! nothing is taken.

use std::sync::{Arc, Mutex, PoisonError};

use roadbook_protocol::ids::UnixMs;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme};

use super::connect::SIGN_IN;
use crate::error::{Error, Result};

/// A chain whose dates fit at no time is given up after so many steps: one per certificate.
const STEPS_MAX: usize = 8;

/// By which time dates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    /// Milliseconds since 1970.
    pub at: UnixMs,
    /// Whether the wall clock says something else, so that one of the two is wrong.
    pub wall_is_wrong: bool,
}

impl Time {
    fn unix(at: UnixMs) -> UnixTime {
        let ms = u64::try_from(at).unwrap_or(0);
        UnixTime::since_unix_epoch(std::time::Duration::from_millis(ms))
    }
}

/// Judges certificates by a time that it is told.
#[derive(Debug)]
pub(crate) struct Dated {
    verifier: Arc<WebPkiServerVerifier>,
    time: Time,
    shown: Mutex<Option<Shown>>,
}

/// What a server showed whose dates do not fit.
#[derive(Debug)]
struct Shown {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
}

impl Dated {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>, time: Time) -> Self {
        Self { verifier, time, shown: Mutex::new(None) }
    }

    /// What was let pass for the time being, if anything was.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Doubt { verifier: self.verifier.clone(), shown })
    }

    /// Whether there is a time at which the certificate is right: then only its dates are wrong.
    fn fits_some_time(
        &self,
        first: &TlsError,
        verify: impl Fn(UnixTime) -> Result<ServerCertVerified, TlsError>,
    ) -> bool {
        let mut at = other_time(first);
        for _ in 0..STEPS_MAX {
            let Some(time) = at else { return false };
            match verify(time) {
                Ok(_) => return true,
                Err(error) => at = other_time(&error),
            }
        }
        false
    }
}

/// The nearest time at which a certificate that failed by its dates would not have.
fn other_time(error: &TlsError) -> Option<UnixTime> {
    match error {
        TlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            Some(*not_after)
        }
        TlsError::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        }) => Some(*not_before),
        _ => None,
    }
}

impl ServerCertVerifier for Dated {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verify =
            |at| self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, at);
        let error = match verify(Time::unix(self.time.at)) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        if !self.time.wall_is_wrong || !self.fits_some_time(&error, verify) {
            return Err(error);
        }
        let shown = Shown {
            end_entity: end_entity.clone().into_owned(),
            intermediates: intermediates.iter().map(|der| der.clone().into_owned()).collect(),
            name: name.to_owned(),
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// A connection to a server whose certificate is right but for its dates.
#[derive(Debug)]
pub(crate) struct Doubt {
    verifier: Arc<WebPkiServerVerifier>,
    shown: Shown,
}

impl Doubt {
    /// Judges the certificate by the time that the server has proved with the workspace's key;
    /// `None` where it proved none.
    ///
    /// # Errors
    /// [`Error::Untrusted`]: the connection is to end.
    pub(super) fn settle(self, proved: Option<UnixMs>) -> Result<()> {
        let Some(at) = proved else {
            return Err(Error::Untrusted {
                reason:
                    "the dates of its certificate do not fit what this device knows of the time, \
                         and the server could not prove what time it is; set this device's clock \
                         right and try again; your edits wait"
                        .into(),
            });
        };
        let Shown { end_entity, intermediates, name } = &self.shown;
        match self.verifier.verify_server_cert(end_entity, intermediates, name, &[], Time::unix(at))
        {
            Ok(_) => Ok(()),
            Err(TlsError::InvalidCertificate(error)) => {
                Err(Error::Untrusted { reason: certificate_error(&error) })
            }
            Err(error) => Err(Error::Untrusted { reason: error.to_string() }),
        }
    }
}

/// Why a certificate is not trusted, for people.
pub(super) fn certificate_error(error: &CertificateError) -> String {
    let day = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        chrono::DateTime::from_timestamp(seconds, 0)
            .map_or_else(|| "an unknown day".to_owned(), |time| time.format("%Y-%m-%d").to_string())
    };
    let clock = "if that is not today, set this device's clock right and try again, else the office \
                 has to renew the certificate; your edits wait";
    match error {
        CertificateError::Expired | CertificateError::NotValidYet => {
            format!("its certificate is not valid on the day that this device believes in; {clock}")
        }
        CertificateError::ExpiredContext { time, not_after } => format!(
            "its certificate expired on {}, and as far as this device knows it is {}; {clock}",
            day(not_after),
            day(time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "its certificate is valid from {} on, and as far as this device knows it is {}; {clock}",
            day(not_before),
            day(time)
        ),
        _ => format!(
            "{error}; {SIGN_IN}; if the server made its certificate itself, enrol with its --fingerprint"
        ),
    }
}
