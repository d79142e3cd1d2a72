//! Users who show a certificate instead of logging in: `Define clientcertificates`, with HTTPS.

use super::Login;
use super::group::Groups;
use crate::control::Access;
use crate::told::Told;
use crate::web::pki::PkiError;
use crate::web::tls::{ClientCertificate, Watched};
use std::io::ErrorKind;
use std::path::Path;

/// Roles of users with certificates.
#[derive(Debug)]
pub struct CertificateUsers(Watched<Option<Groups>>);

impl CertificateUsers {
    /// With sslgroup.conf of this directory, if there is one.
    pub fn new(conf: &Path) -> CertificateUsers {
        let file = conf.join("sslgroup.conf");
        let path = file.clone();
        CertificateUsers(Watched::new(vec![file], move || match std::fs::read_to_string(&path) {
            Ok(text) => {
                let (groups, problems) = Groups::parse(&text);
                for problem in problems {
                    tracing::warn!("{}:{problem}", path.display());
                }
                Ok(Some(groups))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(PkiError::Content { path: path.clone(), what: Told::same(e.to_string()) }),
        }))
    }

    /// The role of a user now, where sslgroup.conf gives roles; `None` where they are in the certificates.
    pub fn listed(&self, user: &str) -> Option<Option<Access>> {
        match self.0.get().as_deref() {
            Some(None) => None,
            Some(Some(groups)) => Some(groups.role(user)),
            // It could never be read.
            None => Some(None),
        }
    }

    /// Who has shown a certificate that the authorities have signed. With sslgroup.conf the role is the one
    /// it gives, so that whom it leaves out has none; without it the one in the certificate.
    pub fn login(&self, shown: &ClientCertificate) -> Login {
        let user = shown.user.clone();
        let access = match self.0.get().as_deref() {
            Some(Some(groups)) => groups.role(&user),
            Some(None) => shown.role,
            // It could never be read.
            None => None,
        };
        Login { user, access }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_decides_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let shown = ClientCertificate { user: "manager".into(), role: Some(Access::Control) };
        assert_eq!(CertificateUsers::new(dir.path()).login(&shown).access, Some(Access::Control));
        std::fs::write(dir.path().join("sslgroup.conf"), "Monitor : manager\n").unwrap();
        let users = CertificateUsers::new(dir.path());
        assert_eq!(users.login(&shown).access, Some(Access::Monitor));
        let other = ClientCertificate { user: "boss".into(), role: Some(Access::Admin) };
        assert_eq!(users.login(&other).access, None, "not listed");
    }
}
