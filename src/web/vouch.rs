//! Tokens are good as long as who made them could make them still.

use super::Web;
use super::auth::Auth;
use super::auth::tokens::{self, Bearer, DAY, MOST_DAYS, Maker, TokenError, TokenRow};
use super::principal::How;
use crate::control::Access;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it is looked for those who have made tokens: as often as for those who are logged in.
const AGAIN: Duration = Duration::from_secs(300);

impl Web {
    /// How somebody is let in, by the name of [`Maker::method`].
    pub(super) fn method(&self, how: &How) -> &'static str {
        match how {
            How::Certificate(_) => Auth::CERTIFICATE,
            How::Nobody => Auth::NONE,
            How::Session(_) | How::Credentials(_) | How::Token(_) => self.auth.method(),
        }
    }

    /// Most days of a token of a user who is let in so.
    pub(super) fn token_days(&self, method: &str) -> u32 {
        match method {
            Auth::OPENID | Auth::CERTIFICATE => self.settings.token_days,
            _ => MOST_DAYS,
        }
    }

    /// A token, unless who made it could not make it any more.
    pub(super) async fn token(&self, found: Option<Bearer>) -> Option<Bearer> {
        let bearer = found?;
        if let Some(Maker { user, method }) = &bearer.maker
            && method == Auth::LDAP
        {
            self.auth.refresh(user).await;
        }
        let bearer = self.bounded(bearer);
        self.vouched(&bearer, tokens::now()).then_some(bearer)
    }

    /// The tokens of this node, for administrators.
    pub(super) fn token_rows(&self) -> Result<Vec<TokenRow>, TokenError> {
        let row = |bearer: Bearer| {
            let bearer = self.bounded(bearer);
            let works = self.vouched(&bearer, tokens::now());
            bearer.row(works)
        };
        Ok(self.tokens.list(tokens::now())?.into_iter().map(row).collect())
    }

    /// The same with the end that the settings give it, which may have changed since.
    fn bounded(&self, mut bearer: Bearer) -> Bearer {
        let method = bearer.maker.as_ref().map_or(Auth::NONE, |maker| &maker.method);
        let longest = DAY * i64::from(self.token_days(method));
        bearer.expires = bearer.expires.min(bearer.created + longest);
        bearer
    }

    /// Whether the maker of a token may still what it may. He cannot be asked for if users log in otherwise now.
    fn vouched(&self, bearer: &Bearer, now: i64) -> bool {
        let Some(Maker { user, method }) = &bearer.maker else { return false };
        let has: Option<Access> = match (&*self.auth, method.as_str()) {
            (Auth::File(users), Auth::FILE) => {
                let same = bearer.proof.is_some() && users.present(user) == bearer.proof;
                users.role(user).flatten().filter(|_| same && !bearer.gone)
            }
            (Auth::Ldap(directory), Auth::LDAP) => {
                directory.still(user, Some(bearer.role)).flatten().filter(|_| !bearer.gone)
            }
            // Neither can be asked for without the user: what it was at the begin, for a bounded time.
            (Auth::OpenId(provider), Auth::OPENID) => provider.listed(user).unwrap_or(Some(bearer.role)),
            (_, Auth::CERTIFICATE) => {
                let certificates = self.certificates.as_ref();
                certificates.and_then(|users| users.listed(user).unwrap_or(Some(bearer.role)))
            }
            (Auth::Nobody(access), Auth::NONE) => Some(*access),
            _ => None,
        };
        now < bearer.expires && has.is_some_and(|has| has >= bearer.role)
    }

    /// Goes on looking whether those who have made tokens are there, whether the tokens are used or not.
    pub(super) fn watch_makers(&self) {
        let web = self.clone();
        actix_web::rt::spawn(async move {
            let mut again = actix_web::rt::time::interval(AGAIN);
            loop {
                again.tick().await;
                if let Err(error) = web.look_for_makers().await {
                    tracing::warn!(%error, "it is not known whether those are there who have made tokens");
                }
            }
        });
    }

    /// Notes who of them is gone.
    pub(super) async fn look_for_makers(&self) -> Result<(), TokenError> {
        let method = match &*self.auth {
            Auth::File(_) => Auth::FILE,
            Auth::Ldap(_) => Auth::LDAP,
            // Nobody can be asked for.
            _ => return Ok(()),
        };
        let all = self.tokens.list(tokens::now())?;
        let makers = all.iter().filter_map(|bearer| bearer.maker.as_ref());
        let users: BTreeSet<&str> =
            makers.filter(|maker| maker.method == method).map(|maker| maker.user.as_str()).collect();
        for user in users {
            let Some(there) = self.is_there(user).await else { continue };
            let maker = Maker { user: user.to_owned(), method: method.to_owned() };
            let tokens = self.tokens.clone();
            let noted = move || tokens.note(&maker, there, tokens::now());
            // The disk may take its time. A panic would have been told.
            actix_web::rt::task::spawn_blocking(noted).await.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// Whether there is a user of this name, if that is known.
    async fn is_there(&self, user: &str) -> Option<bool> {
        match &*self.auth {
            Auth::File(users) => Some(users.role(user).is_some()),
            Auth::Ldap(directory) => {
                directory.refresh(user).await;
                directory.there(user)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::paths::Paths;
    use crate::web::auth::tokens::Making;
    use crate::web::settings::Settings;
    use std::path::Path;

    const OPENID: &str = "Define useopenid\nDefine OIDCClientID safekit\nDefine OIDCProviderMetadataURL \
                          https://idp.example.com/.well-known/openid-configuration\n";

    fn service(dir: &Path, conf: &str, https: bool) -> Web {
        let settings = Settings::parse(Path::new("httpd.conf"), conf).unwrap();
        Web::new(Paths::new(dir.join("safe"), dir.join("var")), settings, https).unwrap()
    }

    fn make(web: &Web, method: &str, at: i64) -> String {
        let maker = Maker { user: "boss".to_owned(), method: method.to_owned() };
        let making = Making { maker, proof: None, most_days: 90 };
        let (token, _) =
            web.tokens.create((&format!("{method}{at}"), Access::Control, 90), making, at).unwrap();
        token.expose().to_owned()
    }

    async fn works(web: &Web, token: &str) -> bool {
        web.token(web.tokens.find(token, tokens::now())).await.is_some()
    }

    #[actix_web::test]
    async fn tokens_of_who_is_not_asked_for_again_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let conf = format!("{OPENID}Define tokendays 10\nDefine clientcertificates\n");
        let web = service(dir.path(), &conf, true);
        assert_eq!((web.token_days(Auth::OPENID), web.token_days(Auth::LDAP)), (10, MOST_DAYS));
        for method in [Auth::OPENID, Auth::CERTIFICATE] {
            let (new, old) =
                (make(&web, method, tokens::now()), make(&web, method, tokens::now() - 11 * DAY));
            assert!(works(&web, &new).await && !works(&web, &old).await, "{method}");
        }
        let rows = web.token_rows().unwrap();
        assert_eq!(rows.iter().map(|row| row.works).collect::<Vec<_>>(), [false, true, false, true]);
        let listed = web.tokens.list(tokens::now()).unwrap();
        assert!(
            rows.iter().zip(&listed).all(|(row, stored)| row.expires != stored.clone().row(true).expires)
        );
    }

    #[actix_web::test]
    async fn files_of_groups_take_tokens_back_too() {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("safe/web/conf");
        std::fs::create_dir_all(&conf).unwrap();
        std::fs::write(conf.join("group.conf"), "Admin : boss\n").unwrap();
        std::fs::write(conf.join("sslgroup.conf"), "Monitor : boss\n").unwrap();
        let web = service(dir.path(), &format!("{OPENID}Define clientcertificates\n"), true);
        let (openid, certificate) =
            (make(&web, Auth::OPENID, tokens::now()), make(&web, Auth::CERTIFICATE, tokens::now()));
        assert!(works(&web, &openid).await);
        assert!(!works(&web, &certificate).await, "he may less than the token");
        std::fs::write(conf.join("group.conf"), "Admin : other\n").unwrap();
        assert!(!works(&web, &openid).await);
        // Users log in otherwise now: nobody vouches for it, nor for one of an unknown maker.
        std::fs::write(conf.join("user.conf"), "boss:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
        std::fs::write(conf.join("group.conf"), "Admin : boss\n").unwrap();
        let web = service(dir.path(), "Define usefile", false);
        assert!(!works(&web, &openid).await);
        let file = make(&web, Auth::FILE, tokens::now());
        assert!(!works(&web, &file).await, "of no password");
    }
}
