//! Users of a directory: LDAP or Active Directory (WEB-43).
//!
//! A login is a search for the user, as the reader `binddn`, and then a bind as the entry that was found,
//! with the password that was given. Groups give roles: those that the entry names in `memberOf`, or
//! that name the entry among their members. Who is logged in is searched again now and then ([`seen`]).

mod error;
mod seen;
mod talk;
mod url;

use super::{AuthError, Login, is_name};
use crate::config::paths::Paths;
use crate::control::Access;
use crate::lock::lock;
use crate::told::{Tell, Told, told};
use crate::web::settings::{Define, Settings, SettingsError};
use crate::web::tls;
use error::DirectoryError;
use rustls::ClientConfig;
use seen::Seen;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use url::{Protection, SearchUrl};

/// Time a whole login may take.
const WHOLE: Duration = Duration::from_secs(10);
/// Who is logged in is searched again after this time, when he does something or his page is open.
const AGAIN: Duration = Duration::from_secs(300);
/// Logins that are checked at the same time.
const CHECKS: usize = 8;
/// Longest password.
const LONGEST_PASSWORD: usize = 1024;
/// A role and the group that gives it.
#[derive(Clone, Debug)]
struct Group {
    access: Access,
    dn: String,
}

/// The directory of the settings.
pub struct Directory {
    url: SearchUrl,
    /// Reader and its password; without them the search is anonymous.
    reader: Option<(String, String)>,
    /// None: every user is Admin.
    groups: Vec<Group>,
    tls: Arc<ClientConfig>,
    turns: Semaphore,
    seen: Seen,
    /// What an administrator has to do, as the last question has shown it.
    trouble: Mutex<Option<Told>>,
    again: Duration,
}

/// Without the password.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("url", &self.url)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// Checks the settings; errors name file and line.
    pub fn new(paths: &Paths, settings: &Settings) -> Result<Directory, SettingsError> {
        let chosen = |name: &str| settings.define(name).filter(|define| !define.value.is_empty());
        let line = settings.define("useldap").cloned().unwrap_or(Define { value: String::new(), line: 1 });
        let Some(search) = chosen("searchurl") else {
            return Err(settings.wrong(&line, "useldap needs a line Define searchurl \"ldap://...\""));
        };
        let url = SearchUrl::parse(&search.value)
            .map_err(|what| settings.wrong(search, format!("searchurl \"{}\": {what}", search.value)))?;
        let reader = match (chosen("binddn"), chosen("bindpwd")) {
            (None, None) => None,
            (Some(dn), Some(password)) => Some((dn.value.clone(), password.value.clone())),
            (Some(dn), None) => {
                return Err(settings.wrong(dn, "binddn needs a line Define bindpwd <password>"));
            }
            (None, Some(password)) => {
                return Err(settings.wrong(password, "bindpwd needs a line Define binddn <dn>"));
            }
        };
        let named = [
            ("admingroup", Access::Admin),
            ("controlgroup", Access::Control),
            ("monitorgroup", Access::Monitor),
        ];
        let groups = named
            .into_iter()
            .filter_map(|(name, access)| Some(Group { access, dn: chosen(name)?.value.clone() }))
            .collect();
        let tls = tls::outgoing_config(paths).map_err(|e| settings.wrong(search, e.to_string()))?;
        Ok(Directory {
            url,
            reader,
            groups,
            tls: Arc::new(tls),
            turns: Semaphore::new(CHECKS),
            seen: Seen::default(),
            trouble: Mutex::default(),
            again: AGAIN,
        })
    }

    /// Checks a password.
    pub async fn check(&self, user: &str, password: &str) -> Result<Login, AuthError> {
        // A bind without password is anonymous and always succeeds (RFC 4513 5.1.2).
        if password.is_empty() || password.len() > LONGEST_PASSWORD || !is_name(user) {
            return Err(AuthError::Wrong);
        }
        let Ok(_turn) = self.turns.try_acquire() else {
            return Err(AuthError::Slower(Duration::from_secs(1)));
        };
        match self.within(self.ask(user, password)).await {
            Ok(Some(access)) => {
                self.seen.put(user, Some(access));
                Ok(Login { user: user.to_owned(), access })
            }
            Ok(None) => Err(AuthError::Wrong),
            Err(e) => Err(AuthError::Unavailable(e.told())),
        }
    }

    /// Searches somebody again who has logged in, if that was not done lately. While the directory does not
    /// answer he keeps his role, until his session ends.
    pub async fn refresh(&self, user: &str) {
        let Ok(_turn) = self.turns.try_acquire() else { return };
        if !self.seen.begin(user, self.again) {
            return;
        }
        match self.within(self.look(user)).await {
            Ok(found) => self.seen.put(user, found),
            Err(error) => tracing::warn!(user, %error, "a user who is logged in keeps his role"),
        }
    }

    /// Whether a user was there when he was searched last; `None` if that is not known.
    pub fn there(&self, user: &str) -> Option<bool> {
        self.seen.find(user).map(|found| found.is_some())
    }

    /// What somebody who has logged in may now; `None` if he is not in the directory any more.
    pub fn still(&self, user: &str, at_login: Option<Access>) -> Option<Option<Access>> {
        self.seen.find(user).unwrap_or(Some(at_login))
    }

    /// A question with its bound of time; what is wrong with the directory is remembered.
    async fn within<T>(
        &self,
        question: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let slow = |_| Err(DirectoryError::Slow(self.url.server.clone()));
        let answer = tokio::time::timeout(WHOLE, question).await.unwrap_or_else(slow);
        let trouble = answer.as_ref().err().map(Tell::told);
        *lock(&self.trouble) = trouble;
        answer
    }

    /// Why it does not answer questions, if the last one had no answer.
    pub fn trouble(&self) -> Option<Told> {
        lock(&self.trouble).clone()
    }

    /// What is wrong with it, for administrators.
    pub fn problems(&self) -> Vec<Told> {
        let mut problems: Vec<Told> = self.trouble().into_iter().collect();
        if self.url.protection == Protection::None {
            let server = &self.url.server;
            problems.push(told!(
                "passwords reach the directory {server} in clear: write ldaps:// or add ????StartTLS to searchurl",
                "les mots de passe vont en clair à l'annuaire {server} : écrivez ldaps:// ou ajoutez ????StartTLS à searchurl"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests;
