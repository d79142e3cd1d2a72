//! What the console and the log say about the certificate of the web service.

use crate::config::paths::Paths;
use crate::control::CertificateReport;
use crate::log::Lang;
use crate::told::{Tell, Told, told};
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
pub fn status(paths: &Paths, https: bool) -> Status {
    if !https {
        return Status::default();
    }
    let chain = match certificate::load(&files::server_certificate(paths)) {
        Ok(chain) => chain,
        Err(e) => {
            let report = CertificateReport { https, ..Default::default() };
            return Status { report, warning: Some(e.told()) };
        }
    };
    let own = &chain[0];
    let validity = own.validity(certificate::now());
    let days_left = match validity {
        Validity::Valid { days_left } => Some(days_left),
        Validity::NotYet => None,
        Validity::Expired => Some(0),
    };
    let report = CertificateReport {
        https,
        subject: Some(own.subject.clone()),
        issuer: Some(own.issuer.clone()),
        names: own.names.iter().cloned().chain(own.addresses.iter().map(IpAddr::to_string)).collect(),
        not_before: Some(certificate::date(own.not_before)),
        not_after: Some(certificate::date(own.not_after)),
        days_left,
        warning: None,
    };
    Status { report, warning: warning(own, validity, check::key(paths, own), &check::missing(paths, own)) }
}

/// The certificate, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Status {
    report: CertificateReport,
    /// What is wrong.
    pub warning: Option<Told>,
}

impl Status {
    /// For people who read this language.
    pub fn report(self, lang: Lang) -> CertificateReport {
        CertificateReport { warning: self.warning.map(|warning| warning.into(lang)), ..self.report }
    }
}

fn warning(
    own: &Certificate,
    validity: Validity,
    key: Result<(), PkiError>,
    missing: &[String],
) -> Option<Told> {
    if let Err(e) = key {
        return Some(e.told());
    }
    let renew = told!(
        ": make a new one with initssl, or install that of your own certification authority",
        " : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification"
    );
    let mut warning = match validity {
        Validity::Expired => {
            let date = certificate::date(own.not_after);
            told!(
                "the certificate of the web service expired on {date}",
                "le certificat du service web a expiré le {date}"
            )
        }
        Validity::NotYet => {
            let date = certificate::date(own.not_before);
            return Some(told!(
                "the certificate of the web service is valid only from {date}: the clock of this node is behind",
                "le certificat du service web n'est valable qu'à partir du {date} : l'horloge de ce nœud retarde"
            ));
        }
        Validity::Valid { days_left } if days_left < RENEWAL_DAYS => told!(
            "the certificate of the web service expires in {days_left} days",
            "le certificat du service web expire dans {days_left} jours"
        ),
        Validity::Valid { .. } if !missing.is_empty() => {
            let missing = missing.join(", ");
            told!(
                "the certificate of the web service is not valid for {missing}, an address of this node in cluster.xml",
                "le certificat du service web n'est pas valable pour {missing}, une adresse de ce nœud dans cluster.xml"
            )
        }
        Validity::Valid { .. } => return None,
    };
    warning += renew;
    Some(warning)
}

/// The certificate, looked at once in a while.
#[derive(Debug)]
pub struct CertificateWatch {
    paths: Paths,
    https: bool,
    latest: Mutex<Status>,
}

impl CertificateWatch {
    /// Nothing is looked at yet.
    pub fn new(paths: Paths, https: bool) -> CertificateWatch {
        CertificateWatch {
            paths,
            https,
            latest: Mutex::new(Status {
                report: CertificateReport { https, ..Default::default() },
                warning: None,
            }),
        }
    }

    /// What was seen last.
    pub fn latest(&self) -> Status {
        // No code panics while it holds the lock.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What there is now.
    pub async fn look(&self) -> Status {
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
