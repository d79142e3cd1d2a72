//! What keeps two ends from HTTPS, as rustls says it.

use crate::told::Tell;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;

/// Why a server is not asked by HTTPS, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub enum TlsFault {
    /// The authorities that are trusted here cannot be read: their file, and why.
    #[error("HTTPS needs the certificate of the certification authority in {0}")]
    Authority(String),
    /// None of them has signed its certificate.
    #[error("its certificate is not signed by an authority of SAFE/web/conf/cacert.crt of this node")]
    Issuer,
    /// Its certificate was valid.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate is valid later.
    #[error("its certificate is not yet valid: the clocks of the two nodes differ")]
    NotYetValid,
    /// Its certificate is for other names and addresses.
    #[error("its certificate is not for this name or address")]
    Name,
    /// It does not speak TLS.
    #[error("what answers there does not speak HTTPS")]
    Plain,
    /// Anything else, in the words of rustls.
    #[error("HTTPS with it fails: {0}")]
    Other(String),
}

impl Tell for TlsFault {
    fn french(&self) -> String {
        match self {
            TlsFault::Authority(file) => {
                format!("HTTPS demande le certificat de l'autorité de certification dans {file}")
            }
            TlsFault::Issuer => {
                "son certificat n'est pas signé par une autorité de SAFE/web/conf/cacert.crt de ce nœud"
                    .into()
            }
            TlsFault::Expired => "son certificat a expiré".into(),
            TlsFault::NotYetValid => {
                "son certificat n'est pas encore valide : les horloges des deux nœuds diffèrent".into()
            }
            TlsFault::Name => "son certificat n'est pas pour ce nom ou cette adresse".into(),
            TlsFault::Plain => "ce qui y répond ne parle pas HTTPS".into(),
            TlsFault::Other(what) => format!("échec de HTTPS : {what}"),
        }
    }
}

impl TlsFault {
    /// What rustls says.
    pub fn of(error: &rustls::Error) -> TlsFault {
        use rustls::CertificateError as C;
        use rustls::{Error as E, InvalidMessage};
        match error {
            E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => TlsFault::NotYetValid,
            E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => TlsFault::Expired,
            E::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => TlsFault::Issuer,
            E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => TlsFault::Name,
            E::InvalidMessage(InvalidMessage::InvalidContentType) => TlsFault::Plain,
            other => TlsFault::Other(other.to_string()),
        }
    }

    /// What rustls says, if it is the cause of this error.
    pub fn find(error: &(dyn Error + 'static)) -> Option<TlsFault> {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(TlsFault::of(tls));
        }
        // The error inside one of the system is not its source.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.and_then(|inside| TlsFault::find(inside)).or_else(|| TlsFault::find(error.source()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{CertificateError, Error as E, InvalidMessage};

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_cause_is_found_below_what_others_say() {
        let tls = |e: E| Outer(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, e)));
        for (error, fault) in [
            (E::InvalidCertificate(CertificateError::NotValidYet), TlsFault::NotYetValid),
            (E::InvalidCertificate(CertificateError::Expired), TlsFault::Expired),
            (E::InvalidCertificate(CertificateError::UnknownIssuer), TlsFault::Issuer),
            (E::InvalidCertificate(CertificateError::NotValidForName), TlsFault::Name),
            (E::InvalidMessage(InvalidMessage::InvalidContentType), TlsFault::Plain),
            (E::DecryptError, TlsFault::Other(E::DecryptError.to_string())),
        ] {
            assert_eq!(TlsFault::find(&tls(error)), Some(fault));
        }
        assert_eq!(TlsFault::find(&Outer(io::ErrorKind::ConnectionRefused.into())), None);
    }
}
