//! Users of a directory: LDAP or Active Directory (WEB-43).
//!
//! A login is a search for the user, as the reader `binddn`, and then a bind as the entry that was found,
//! with the password that was given. Groups give roles: those that the entry names in `memberOf`, or
//! that name the entry among their members.

mod url;

use super::{AccessReport, AuthError, Login, is_name};
use crate::config::paths::Paths;
use crate::control::Access;
use crate::web::settings::{Define, Settings, SettingsError};
use crate::web::tls;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::{Protection, SearchUrl};

/// Time one answer of the server may take.
const STEP: Duration = Duration::from_secs(5);
/// Time a whole login may take.
const WHOLE: Duration = Duration::from_secs(10);
/// Time limit that the server is asked to keep, seconds.
const SEARCH_S: i32 = 5;
/// Logins that are checked at the same time.
const CHECKS: usize = 8;
/// Longest password.
const LONGEST_PASSWORD: usize = 1024;
/// Result code of a wrong password.
const INVALID_CREDENTIALS: u32 = 49;
/// Result code of an entry that is not there.
const NO_SUCH_OBJECT: u32 = 32;

/// Why the directory does not answer the question.
#[derive(Debug, thiserror::Error)]
enum DirectoryError {
    /// No answer in time.
    #[error("the directory {0} does not answer in time")]
    Slow(String),
    /// The protocol or the connection.
    #[error("the directory {server}: {source}")]
    Ldap {
        /// Its address.
        server: String,
        /// What is wrong.
        source: Box<LdapError>,
    },
    /// The reader is refused.
    #[error("the directory {0} refuses binddn and bindpwd of httpd.conf")]
    Reader(String),
}

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
        Ok(Directory { url, reader, groups, tls: Arc::new(tls), turns: Semaphore::new(CHECKS) })
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
        let slow = || DirectoryError::Slow(self.url.server.clone());
        let found =
            tokio::time::timeout(WHOLE, self.ask(user, password)).await.unwrap_or_else(|_| Err(slow()));
        match found {
            Ok(Some(access)) => Ok(Login { user: user.to_owned(), access }),
            Ok(None) => Err(AuthError::Wrong),
            Err(e) => Err(AuthError::Unavailable(e.to_string())),
        }
    }

    /// For administrators.
    pub fn report(&self) -> AccessReport {
        let mut problems = Vec::new();
        if self.url.protection == Protection::None {
            problems.push(format!(
                "passwords reach the directory {} in clear: write ldaps:// or add ????StartTLS to searchurl",
                self.url.server
            ));
        }
        AccessReport { method: "ldap", users: Vec::new(), problems }
    }

    /// The role of a user with this password; `None` if he or the password is wrong.
    async fn ask(&self, user: &str, password: &str) -> Result<Option<Option<Access>>, DirectoryError> {
        let mut ldap = self.connect().await?;
        if let Some((dn, password)) = &self.reader {
            let bound = ldap.with_timeout(STEP).simple_bind(dn, password).await.map_err(self.trouble())?;
            if bound.rc != 0 {
                return Err(DirectoryError::Reader(self.url.server.clone()));
            }
        }
        let Some(entry) = self.find(&mut ldap, user).await? else { return Ok(None) };
        let access = self.role(&mut ldap, &entry, user).await?;
        let bound = ldap.with_timeout(STEP).simple_bind(&entry.dn, password).await.map_err(self.trouble())?;
        // The connection ends anyway.
        let _ = ldap.with_timeout(STEP).unbind().await;
        match bound.rc {
            0 => Ok(Some(access)),
            INVALID_CREDENTIALS => Ok(None),
            code => {
                // Locked, expired, not allowed: for the user all of that is a login that fails.
                tracing::warn!(user, code, text = bound.text, "the directory refuses a bind");
                Ok(None)
            }
        }
    }

    async fn connect(&self) -> Result<Ldap, DirectoryError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(STEP)
            .set_starttls(self.url.protection == Protection::StartTls)
            .set_config(self.tls.clone());
        let connected = LdapConnAsync::with_settings(settings, &self.url.server).await;
        let (connection, ldap) = connected.map_err(self.trouble())?;
        // It ends with `ldap`.
        actix_web::rt::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "connection to the directory");
            }
        });
        Ok(ldap)
    }

    /// The entry of a user, if there is exactly one.
    async fn find(&self, ldap: &mut Ldap, user: &str) -> Result<Option<SearchEntry>, DirectoryError> {
        let options = SearchOptions::new().sizelimit(2).timelimit(SEARCH_S);
        let attributes = vec![self.url.attribute.as_str(), "memberOf"];
        let mut search = ldap
            .with_timeout(STEP)
            .with_search_options(options)
            .streaming_search(&self.url.base, self.url.scope, &self.url.filter_for(user), attributes)
            .await
            .map_err(self.trouble())?;
        let mut found = None;
        // A server that sends more than was asked for is not read to its end.
        while let Some(entry) = search.next().await.map_err(self.trouble())? {
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            if found.is_some() {
                tracing::warn!(user, "several entries of the directory have this name: nobody is logged in");
                return Ok(None);
            }
            found = Some(SearchEntry::construct(entry));
        }
        // An entry without name would be an anonymous bind.
        Ok(found.filter(|entry| !entry.dn.is_empty()))
    }

    /// The greatest role of the groups; Admin without any (WEB-43).
    async fn role(
        &self,
        ldap: &mut Ldap,
        entry: &SearchEntry,
        user: &str,
    ) -> Result<Option<Access>, DirectoryError> {
        if self.groups.is_empty() {
            return Ok(Some(Access::Admin));
        }
        let named = entry.attrs.iter().filter(|(name, _)| name.eq_ignore_ascii_case("memberOf"));
        let of: Vec<String> = named.flat_map(|(_, values)| values).map(|dn| plain(dn)).collect();
        for group in &self.groups {
            if of.contains(&plain(&group.dn)) || self.has_member(ldap, group, &entry.dn, user).await? {
                return Ok(Some(group.access));
            }
        }
        Ok(None)
    }

    /// Whether a group names the user among its members: by entry, or by name as groups of Unix do.
    async fn has_member(
        &self,
        ldap: &mut Ldap,
        group: &Group,
        dn: &str,
        user: &str,
    ) -> Result<bool, DirectoryError> {
        let (dn, user) = (ldap3::ldap_escape(dn), ldap3::ldap_escape(user));
        let filter = format!("(|(member={dn})(uniqueMember={dn})(memberUid={user}))");
        let options = SearchOptions::new().sizelimit(1).timelimit(SEARCH_S);
        let mut search = ldap
            .with_timeout(STEP)
            .with_search_options(options)
            .streaming_search(&group.dn, Scope::Base, &filter, vec!["1.1"])
            .await
            .map_err(self.trouble())?;
        while let Some(entry) = search.next().await.map_err(self.trouble())? {
            if !entry.is_ref() && !entry.is_intermediate() {
                return Ok(true);
            }
        }
        let ended = search.finish().await;
        if ended.rc == NO_SUCH_OBJECT {
            tracing::warn!(group = group.dn, "this group of httpd.conf is not in the directory");
        }
        Ok(false)
    }

    fn trouble(&self) -> impl Fn(LdapError) -> DirectoryError + '_ {
        |source| match source {
            LdapError::Timeout { .. } => DirectoryError::Slow(self.url.server.clone()),
            source => DirectoryError::Ldap { server: self.url.server.clone(), source: Box::new(source) },
        }
    }
}

/// A name of an entry, so that spaces and capitals make no difference.
fn plain(dn: &str) -> String {
    let part = |part: &str| part.split('=').map(str::trim).collect::<Vec<_>>().join("=");
    dn.split(',').map(part).collect::<Vec<_>>().join(",").to_lowercase()
}

#[cfg(test)]
mod tests;
