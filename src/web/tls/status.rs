//! What the console and the log say about the certificate of the web service.

use crate::config::paths::Paths;
use crate::control::CertificateReport;
use crate::web::pki::certificate::{self, Certificate, Validity};
use crate::web::pki::{PkiError, check, files};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A certificate is to be renewed this long before its end, days.
const RENEWAL_DAYS: i64 = 30;
/// How often the certificate is looked at.
const LOOK: Duration = Duration::from_secs(3600);
/// The log has what is wrong with it once in so many hours.
const REMINDER_HOURS: u64 = 24;

/// Reads the installed certificate and says what is wrong with it. Blocks on files and name servers.
pub fn status(paths: &Paths, https: bool) -> CertificateReport {
    if !https {
        return CertificateReport::default();
    }
    let chain = match certificate::load(&files::server_certificate(paths)) {
        Ok(chain) => chain,
        Err(e) => return CertificateReport { https, warning: Some(e.to_string()), ..Default::default() },
    };
    let own = &chain[0];
    let validity = own.validity(certificate::now());
    let days_left = match validity {
        Validity::Valid { days_left } => Some(days_left),
        Validity::NotYet => None,
        Validity::Expired => Some(0),
    };
    CertificateReport {
        https,
        subject: Some(own.subject.clone()),
        issuer: Some(own.issuer.clone()),
        names: own.names.iter().cloned().chain(own.addresses.iter().map(IpAddr::to_string)).collect(),
        not_before: Some(certificate::date(own.not_before)),
        not_after: Some(certificate::date(own.not_after)),
        days_left,
        warning: warning(own, validity, check::key(paths, own), &check::missing(paths, own)),
    }
}

fn warning(
    own: &Certificate,
    validity: Validity,
    key: Result<(), PkiError>,
    missing: &[String],
) -> Option<String> {
    if let Err(e) = key {
        return Some(e.to_string());
    }
    let renew = "make a new one with initssl, or install that of your own certification authority";
    match validity {
        Validity::Expired => Some(format!(
            "the certificate of the web service expired on {}: {renew}",
            certificate::date(own.not_after)
        )),
        Validity::NotYet => Some(format!(
            "the certificate of the web service is valid only from {}: the clock of this node is behind",
            certificate::date(own.not_before)
        )),
        Validity::Valid { days_left } if days_left < RENEWAL_DAYS => {
            Some(format!("the certificate of the web service expires in {days_left} days: {renew}"))
        }
        Validity::Valid { .. } if !missing.is_empty() => Some(format!(
            "the certificate of the web service is not valid for {}, an address of this node in cluster.xml: {renew}",
            missing.join(", ")
        )),
        Validity::Valid { .. } => None,
    }
}

/// The certificate, looked at once in a while.
#[derive(Debug)]
pub struct CertificateWatch {
    paths: Paths,
    https: bool,
    latest: Mutex<CertificateReport>,
}

impl CertificateWatch {
    /// Nothing is looked at yet.
    pub fn new(paths: Paths, https: bool) -> CertificateWatch {
        CertificateWatch {
            paths,
            https,
            latest: Mutex::new(CertificateReport { https, ..Default::default() }),
        }
    }

    /// What was seen last.
    pub fn latest(&self) -> CertificateReport {
        // No code panics while it holds the lock.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What there is now.
    pub async fn look(&self) -> CertificateReport {
        let (paths, https) = (self.paths.clone(), self.https);
        // A pool that is shut down sees nothing new.
        if let Ok(seen) = actix_web::web::block(move || status(&paths, https)).await {
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        }
        self.latest()
    }

    /// Looks at it at once and then every hour, as long as the server runs; once a day the log says what is
    /// wrong.
    pub fn keep(self: &Arc<Self>) {
        if !self.https {
            return;
        }
        let watch = Arc::clone(self);
        actix_web::rt::spawn(async move {
            for hour in 0u64.. {
                let seen = watch.look().await;
                if let Some(warning) = seen.warning.filter(|_| hour % REMINDER_HOURS == 0) {
                    tracing::warn!("{warning}");
                }
                actix_web::rt::time::sleep(LOOK).await;
            }
        });
    }
}
