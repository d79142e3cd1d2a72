//! Who may log in, and with which role.

pub mod certificates;
pub mod edit;
pub mod file;
pub mod group;
pub mod htpasswd;
pub mod ldap;
pub mod limit;
pub mod openid;
pub mod tokens;

use super::settings::{Method, Settings, SettingsError};
use crate::config::paths::Paths;
use crate::control::Access;
use crate::log::Lang;
use crate::told::{Tell, Told, told};
use crate::web::sessions::{LONGEST, LONGEST_UNASKED, Proof};
use file::FileUsers;
use ldap::Directory;
use openid::OpenId;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;
use utoipa::ToSchema;

/// A user who has proved who he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// His name.
    pub user: String,
    /// His role; none if nothing gives him one.
    pub access: Option<Access>,
}

/// Why somebody is not logged in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Unknown user or wrong password: which of them is not told.
    #[error("unknown user or wrong password")]
    Wrong,
    /// Too many attempts.
    #[error("too many attempts to log in: wait {} s", .0.as_secs().max(1))]
    Slower(Duration),
    /// There is no login by password here.
    #[error("there is no login by password here")]
    NoPassword,
    /// What knows the users cannot be asked; the text is for the log and for administrators.
    #[error("the users cannot be checked: {0}")]
    Unavailable(Told),
}

impl Tell for AuthError {
    fn french(&self) -> String {
        match self {
            AuthError::Wrong => "utilisateur inconnu ou mot de passe incorrect".to_owned(),
            AuthError::Slower(wait) => {
                format!("trop de tentatives de connexion : attendez {} s", wait.as_secs().max(1))
            }
            AuthError::NoPassword => "il n'y a pas ici de connexion par mot de passe".to_owned(),
            AuthError::Unavailable(why) => {
                format!("les utilisateurs ne peuvent pas être vérifiés : {}", why.of(Lang::Fr))
            }
        }
    }
}

/// A user as `GET /access` shows him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessRow {
    /// His name.
    pub name: String,
    /// His role, if he has one.
    pub role: Option<Access>,
}

/// What `GET /access` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessReport {
    /// `file`, `ldap`, `openid`, `certificate` or `none`.
    pub method: &'static str,
    /// The users, as far as they are known here.
    pub users: Vec<AccessRow>,
    /// What is wrong with the files, with file and line.
    pub problems: Vec<String>,
}

/// The same for who asks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessPage {
    /// Who may log in.
    #[serde(flatten)]
    pub report: AccessReport,
    /// Most days that a token lives which he makes.
    pub token_days: u32,
}

/// The way of logging in that is configured.
#[derive(Debug)]
pub enum Auth {
    /// Everybody has this role (WEB-45); without HTTPS only.
    Nobody(Access),
    /// Who shows a certificate, and nobody else: HTTPS with `clientcertificates` alone.
    Certificates,
    /// user.conf and group.conf (WEB-42).
    File(Box<FileUsers>),
    /// A directory (WEB-43).
    Ldap(Box<Directory>),
    /// An identity provider (WEB-44).
    OpenId(Box<OpenId>),
}

impl Auth {
    /// The methods, as they are called where they are shown or stored.
    pub const FILE: &str = "file";
    /// Of a directory.
    pub const LDAP: &str = "ldap";
    /// Of an identity provider.
    pub const OPENID: &str = "openid";
    /// Of certificates.
    pub const CERTIFICATE: &str = "certificate";
    /// There is no login.
    pub const NONE: &str = "none";

    /// The one of the settings.
    pub fn new(paths: &Paths, settings: &Settings, https: bool) -> Result<Auth, SettingsError> {
        settings.check_https(https)?;
        match settings.method {
            Method::Nobody(_) if https => Ok(Auth::Certificates),
            Method::Nobody(access) => Ok(Auth::Nobody(access)),
            Method::File => Ok(Auth::File(Box::new(FileUsers::new(&paths.web_conf())))),
            Method::Ldap => Directory::new(paths, settings).map(|directory| Auth::Ldap(Box::new(directory))),
            Method::OpenId => OpenId::new(paths, settings).map(|provider| Auth::OpenId(Box::new(provider))),
        }
    }

    /// How long a session may last.
    pub fn longest_session(&self) -> Duration {
        match self {
            Auth::OpenId(_) => LONGEST_UNASKED,
            _ => LONGEST,
        }
    }

    /// How one can log in, as `GET /session` says it.
    pub fn methods(&self) -> Vec<&'static str> {
        match self {
            Auth::Nobody(_) => vec!["none"],
            Auth::Certificates => vec!["certificate"],
            Auth::File(_) | Auth::Ldap(_) => vec!["password"],
            Auth::OpenId(_) => vec!["openid"],
        }
    }

    /// What somebody has to do who is nobody yet.
    pub fn invitation(&self) -> Told {
        match self {
            Auth::Certificates => told!(
                "a browser with a certificate is needed here: import yours, and come again",
                "un navigateur muni d'un certificat est demandé ici : importez le vôtre, et revenez"
            ),
            Auth::Nobody(_) | Auth::File(_) | Auth::Ldap(_) | Auth::OpenId(_) => log_in_first(),
        }
    }

    /// The role of everybody, where no login is needed.
    pub fn everybody(&self) -> Option<Access> {
        match self {
            Auth::Nobody(access) => Some(*access),
            Auth::Certificates | Auth::File(_) | Auth::Ldap(_) | Auth::OpenId(_) => None,
        }
    }

    /// The login of a password that was right a moment ago; costs nothing.
    pub fn remembered(&self, user: &str, password: &str) -> Option<Login> {
        match self {
            Auth::Nobody(_) | Auth::Certificates | Auth::Ldap(_) | Auth::OpenId(_) => None,
            Auth::File(users) => users.remembered(user, password),
        }
    }

    /// Checks a password. The caller has asked [`limit::Limits`] before.
    pub async fn password(&self, user: &str, password: &str) -> Result<Login, AuthError> {
        match self {
            Auth::Nobody(_) | Auth::Certificates | Auth::OpenId(_) => Err(AuthError::NoPassword),
            Auth::File(users) => users.check(user, password).await,
            Auth::Ldap(directory) => directory.check(user, password).await,
        }
    }

    /// Asks whoever knows the users about one who is logged in, if that was not done lately.
    pub async fn refresh(&self, user: &str) {
        if let Auth::Ldap(directory) = self {
            directory.refresh(user).await;
        }
    }

    /// What the present password of a user is known by, where this service knows the passwords.
    pub fn proof(&self, user: &str) -> Option<Proof> {
        match self {
            Auth::File(users) => users.present(user),
            _ => None,
        }
    }

    /// What the user of a session may now, who had this role and password at its begin; `None`: he may not
    /// even be logged in any more.
    pub fn still(
        &self,
        user: &str,
        at_login: Option<Access>,
        proof: Option<Proof>,
    ) -> Option<Option<Access>> {
        match self {
            // There are no sessions.
            Auth::Nobody(_) | Auth::Certificates => Some(at_login),
            // The provider cannot be asked again before they end.
            Auth::OpenId(provider) => Some(provider.listed(user).unwrap_or(at_login)),
            Auth::Ldap(directory) => directory.still(user, at_login),
            Auth::File(users) => users.role(user).filter(|_| users.present(user) == proof),
        }
    }

    /// Why users cannot be checked now, for administrators.
    pub fn trouble(&self) -> Option<Told> {
        match self {
            Auth::Ldap(directory) => directory.trouble(),
            _ => None,
        }
    }

    /// The one that is configured, as it is shown and stored.
    pub fn method(&self) -> &'static str {
        match self {
            Auth::Nobody(_) => Auth::NONE,
            Auth::Certificates => Auth::CERTIFICATE,
            Auth::File(_) => Auth::FILE,
            Auth::Ldap(_) => Auth::LDAP,
            Auth::OpenId(_) => Auth::OPENID,
        }
    }

    /// For administrators.
    pub fn report(&self, lang: Lang) -> AccessReport {
        let (users, problems) = match self {
            Auth::Nobody(access) => (Vec::new(), vec![no_login(*access)]),
            Auth::Certificates => (Vec::new(), Vec::new()),
            Auth::File(users) => users.report(),
            Auth::Ldap(directory) => (Vec::new(), directory.problems()),
            Auth::OpenId(provider) => (Vec::new(), provider.problems()),
        };
        let problems = problems.into_iter().map(|problem| problem.into(lang)).collect();
        AccessReport { method: self.method(), users, problems }
    }
}

/// What is said to who is nobody yet.
pub fn log_in_first() -> Told {
    told!("log in first", "connectez-vous d'abord")
}

/// What administrators are told of a service without login.
pub fn no_login(access: Access) -> Told {
    told!(
        "no login is needed: everybody has the role {access} (httpd.conf)",
        "aucune connexion n'est demandée : tout le monde a le rôle {access} (httpd.conf)"
    )
}

/// A user with his address, as logs name him (CLI-008).
pub fn at(user: &str, address: IpAddr) -> String {
    format!("{user}@{}", address.to_canonical())
}

/// Whether a text may be the name of a user: it goes into logs, where it must not look like a token.
pub fn is_name(user: &str) -> bool {
    !user.is_empty()
        && user.len() <= 100
        && !user.chars().any(|c| c.is_control() || c.is_whitespace())
        && !user.starts_with(tokens::LABEL)
}
