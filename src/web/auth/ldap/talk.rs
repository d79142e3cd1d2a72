//! One conversation with the directory.

use super::error::{self, DirectoryError};
use super::url::Protection;
use super::{Directory, Group};
use crate::control::Access;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
};
use std::time::Duration;

/// Time one answer of the server may take.
const STEP: Duration = Duration::from_secs(5);
/// Time limit that the server is asked to keep, seconds.
const SEARCH_S: i32 = 5;

impl Directory {
    /// The role of a user with this password; `None` if he or the password is wrong.
    pub(super) async fn ask(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Option<Option<Access>>, DirectoryError> {
        let mut reader = self.reader().await?;
        let found = self.find(&mut reader, user).await?;
        // Somebody who is not there takes as long as a wrong password.
        let dn = found.as_ref().map_or_else(|| self.url.nobody(), |entry| entry.dn.clone());
        let right = self.binds(&dn, password).await?;
        let access = match found.filter(|_| right) {
            Some(entry) => Some(self.role(&mut reader, &entry, user).await?),
            None => None,
        };
        // The connection ends anyway.
        let _ = reader.with_timeout(STEP).unbind().await;
        Ok(access)
    }

    /// The role of a user who has logged in before; `None` if he is not there any more.
    pub(super) async fn look(&self, user: &str) -> Result<Option<Option<Access>>, DirectoryError> {
        let mut reader = self.reader().await?;
        let access = match self.find(&mut reader, user).await? {
            Some(entry) => Some(self.role(&mut reader, &entry, user).await?),
            None => None,
        };
        // The connection ends anyway.
        let _ = reader.with_timeout(STEP).unbind().await;
        Ok(access)
    }

    /// A connection that searches.
    async fn reader(&self) -> Result<Ldap, DirectoryError> {
        let mut ldap = self.connect().await?;
        if let Some((dn, password)) = &self.reader {
            let bound = ldap.with_timeout(STEP).simple_bind(dn, password).await.map_err(self.wrong())?;
            if bound.rc != 0 {
                let (server, result) = (self.url.server.clone(), error::said(&bound));
                return Err(DirectoryError::Reader { server, result });
            }
        }
        Ok(ldap)
    }

    async fn connect(&self) -> Result<Ldap, DirectoryError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(STEP)
            .set_starttls(self.url.protection == Protection::StartTls)
            .set_config(self.tls.clone());
        let connected = LdapConnAsync::with_settings(settings, &self.url.server).await;
        let (connection, ldap) = connected.map_err(self.wrong())?;
        // It ends with `ldap`.
        actix_web::rt::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "connection to the directory");
            }
        });
        Ok(ldap)
    }

    /// Whether this is the password of an entry. On a connection of its own: the reader goes on reading.
    async fn binds(&self, dn: &str, password: &str) -> Result<bool, DirectoryError> {
        let mut ldap = self.connect().await?;
        let bound = ldap.with_timeout(STEP).simple_bind(dn, password).await.map_err(self.wrong())?;
        // The connection ends anyway.
        let _ = ldap.with_timeout(STEP).unbind().await;
        match bound.rc {
            0 => Ok(true),
            error::INVALID_CREDENTIALS => Ok(false),
            code if error::takes_no_password(code) => {
                Err(DirectoryError::Bind { server: self.url.server.clone(), result: error::said(&bound) })
            }
            code => {
                // Locked, expired, not allowed, not there: for the user all of that is a login that fails.
                tracing::warn!(dn, code, text = bound.text, "the directory refuses a bind");
                Ok(false)
            }
        }
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
            .map_err(self.wrong())?;
        let mut found = None;
        // A server that sends more than was asked for is not read to its end.
        while let Some(entry) = search.next().await.map_err(self.wrong())? {
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            if found.is_some() {
                tracing::warn!(user, "several entries of the directory have this name: nobody is logged in");
                return Ok(None);
            }
            found = Some(SearchEntry::construct(entry));
        }
        self.searched(&self.url.base, &search.finish().await)?;
        // An entry without name would be an anonymous bind.
        Ok(found.filter(|entry: &SearchEntry| !entry.dn.is_empty()))
    }

    /// The end of a search, which must have been done: who is not found because the directory does not
    /// search is no unknown user.
    fn searched(&self, base: &str, ended: &LdapResult) -> Result<(), DirectoryError> {
        if ended.rc == 0 {
            return Ok(());
        }
        Err(DirectoryError::Search {
            server: self.url.server.clone(),
            base: base.to_owned(),
            result: error::said(ended),
            advice: error::advice(ended.rc),
        })
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
            .map_err(self.wrong())?;
        while let Some(entry) = search.next().await.map_err(self.wrong())? {
            if !entry.is_ref() && !entry.is_intermediate() {
                return Ok(true);
            }
        }
        let ended = search.finish().await;
        if ended.rc == error::NO_SUCH_OBJECT {
            tracing::warn!(group = group.dn, "this group of httpd.conf is not in the directory");
            return Ok(false);
        }
        self.searched(&group.dn, &ended)?;
        Ok(false)
    }

    fn wrong(&self) -> impl Fn(LdapError) -> DirectoryError + '_ {
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
