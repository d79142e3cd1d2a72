//! Tokens of scripts: `Authorization: Bearer sk_...`. Only hashes are kept, in SAFE/web/conf/tokens.json.

use super::is_name;
use crate::control::Access;
use crate::node::record::{self, RecordError};
use crate::told::Tell;
use crate::web::sessions::{Proof, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Before the name of a token wherever it stands for a user: no user is called so ([`is_name`]).
pub const LABEL: &str = "token:";
/// What tokens begin with, so that a leaked one is recognized.
const PREFIX: &str = "sk_";
/// Most tokens of a node.
const MOST: usize = 256;
/// Longest life of a token, days.
pub const MOST_DAYS: u32 = 3650;
/// How often the file is looked at, at most: another process may have replaced it.
const LOOK: Duration = Duration::from_millis(500);
/// The last use of a token is stored when it is older than this, seconds.
const USE_STEP: i64 = 3600;
/// Seconds of a day.
pub const DAY: i64 = 24 * 3600;
/// Largest file.
const LARGEST: u64 = 1 << 20;
/// Only the web service reads it.
const MODE: u32 = 0o600;

/// A token as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenRow {
    /// Its name, which stands for the user in logs, as `token:<name>`.
    pub name: String,
    /// Its role.
    pub role: Access,
    /// Who made it; unknown of old ones.
    pub maker: Option<Maker>,
    /// Whether it is good: not if its maker is gone, has another password or has not its role any more.
    pub works: bool,
    /// When it was made, UTC.
    pub created: String,
    /// When it ends, UTC.
    pub expires: String,
    /// When it was used lately, UTC, give or take an hour.
    pub last_use: Option<String>,
}

/// Who makes a token, and how he has proved who he is.
#[derive(Clone, Debug)]
pub struct Making {
    /// Who.
    pub maker: Maker,
    /// His password, if this service knows the passwords: the token ends with it.
    pub proof: Option<Proof>,
    /// Most days that it may live.
    pub most_days: u32,
}

/// Who made a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Maker {
    /// His name.
    pub user: String,
    /// How he had logged in: `file`, `ldap`, `openid`, `certificate` or `none`.
    pub method: String,
}

/// Why a token is not made or not found.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name.
    #[error("a token needs a name of 1 to 100 characters without spaces, which does not begin with {LABEL}")]
    Name,
    /// The name is taken.
    #[error("there is a token {0} already: revoke it first, or choose another name")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no token {0}")]
    Unknown(String),
    /// The number of days; the most.
    #[error("a token that you make lives 1 to {0} days")]
    Days(u32),
    /// Too many.
    #[error("there are {MOST} tokens: revoke those that are not used")]
    Most,
    /// The file.
    #[error(transparent)]
    File(#[from] RecordError),
    /// Its content.
    #[error("{}: {what}; correct the file, or remove it to revoke all tokens", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl Tell for TokenError {
    fn french(&self) -> String {
        use TokenError as E;
        match self {
            E::Name => format!(
                "un jeton a besoin d'un nom de 1 à 100 caractères sans espace, qui ne commence pas par {LABEL}"
            ),
            E::Exists(name) => {
                format!("il y a déjà un jeton {name} : révoquez-le d'abord, ou choisissez un autre nom")
            }
            E::Unknown(name) => format!("il n'y a pas de jeton {name}"),
            E::Days(most) => format!("un jeton que vous créez vit 1 à {most} jours"),
            E::Most => format!("il y a {MOST} jetons : révoquez ceux qui ne servent pas"),
            E::File(e) => e.french(),
            E::Content { file, what } => format!(
                "{} : {what} ; corrigez le fichier, ou supprimez-le pour révoquer tous les jetons",
                file.display()
            ),
            E::Random(e) => format!("le système ne donne pas de nombres aléatoires : {e}"),
        }
    }
}

/// A token in the file; moments are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    name: String,
    role: Access,
    #[serde(default)]
    maker: Option<Maker>,
    /// The password of a maker of user.conf.
    #[serde(default)]
    proof: Option<Proof>,
    /// Since when its maker is no user any more.
    #[serde(default)]
    gone: Option<i64>,
    created: i64,
    expires: i64,
    last_use: Option<i64>,
    /// Of the token with its prefix, in hexadecimal digits.
    blake3: String,
}

/// A token that is valid: finds itself again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Access,
    /// Who made it.
    pub maker: Option<Maker>,
    /// His password then, if this service knows the passwords.
    pub proof: Option<Proof>,
    /// He was no user for a day: whoever has his name now is another one.
    pub gone: bool,
    /// When it was made.
    pub created: i64,
    /// When it ends.
    pub expires: i64,
    /// When it was used.
    pub last_use: Option<i64>,
    /// Its hash.
    pub key: String,
    /// Its use is to be stored: see [`Tokens::store_uses`].
    pub stale: bool,
}

/// The tokens of this node.
#[derive(Debug)]
pub struct Tokens {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    looked: Option<Instant>,
    /// Inode, size and change time of the file.
    seen: Option<(u64, u64, i64, i64)>,
    list: Vec<Stored>,
}

impl Tokens {
    /// Those of SAFE/web/conf.
    pub fn new(conf: &Path) -> Tokens {
        Tokens { file: conf.join("tokens.json"), state: Mutex::default() }
    }

    /// The token of a header, if it is valid.
    pub fn find(&self, token: &str, now: i64) -> Option<Bearer> {
        if !token.starts_with(PREFIX) {
            return None;
        }
        self.by_key(&hash(token), now, true)
    }

    /// Whether a token that was valid still is.
    pub fn still(&self, bearer_key: &str, now: i64) -> Option<Bearer> {
        self.by_key(bearer_key, now, false)
    }

    fn by_key(&self, key: &str, now: i64, using: bool) -> Option<Bearer> {
        let mut state = self.current().ok()?;
        // Hashes are compared, of which nobody can choose the beginning.
        let found = state.list.iter_mut().find(|stored| stored.blake3 == key && now < stored.expires)?;
        let stale = using && found.last_use.is_none_or(|at| now - at > USE_STEP);
        if stale {
            found.last_use = Some(now);
        }
        Some(Bearer { stale, ..bearer(found, now) })
    }

    /// Stores when tokens were used. Blocks.
    pub fn store_uses(&self) -> Result<(), TokenError> {
        let mut state = self.current()?;
        self.store(&mut state)
    }

    /// All of them, by name.
    pub fn list(&self, now: i64) -> Result<Vec<Bearer>, TokenError> {
        let mut all: Vec<Bearer> = self.current()?.list.iter().map(|stored| bearer(stored, now)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Notes whether there is a user of this name. Tokens of one who was gone for a day have ended; for less,
    /// user.conf or the directory may have been wrong. Blocks.
    pub fn note(&self, maker: &Maker, there: bool, now: i64) -> Result<(), TokenError> {
        let mut state = self.current()?;
        let mut changed = false;
        for stored in state.list.iter_mut().filter(|stored| stored.maker.as_ref() == Some(maker)) {
            let gone = match stored.gone {
                None if !there => Some(now),
                Some(since) if there && now - since < DAY => None,
                as_before => as_before,
            };
            changed |= gone != stored.gone;
            stored.gone = gone;
        }
        if changed { self.store(&mut state) } else { Ok(()) }
    }

    /// Makes one; its text is shown this once. Blocks.
    pub fn create(
        &self,
        (name, role, days): (&str, Access, u32),
        Making { maker, proof, most_days }: Making,
        now: i64,
    ) -> Result<(Secret, TokenRow), TokenError> {
        if !is_name(name) {
            return Err(TokenError::Name);
        }
        if !(1..=most_days.min(MOST_DAYS)).contains(&days) {
            return Err(TokenError::Days(most_days));
        }
        let mut state = self.current()?;
        state.list.retain(|stored| now < stored.expires);
        if state.list.iter().any(|stored| stored.name == name) {
            return Err(TokenError::Exists(name.to_owned()));
        }
        if state.list.len() >= MOST {
            return Err(TokenError::Most);
        }
        let token = Secret::random_with(PREFIX).map_err(TokenError::Random)?;
        let expires = now + DAY * i64::from(days);
        let stored = Stored {
            name: name.to_owned(),
            role,
            maker: Some(maker),
            proof,
            gone: None,
            created: now,
            expires,
            last_use: None,
            blake3: hash(token.expose()),
        };
        let row = bearer(&stored, now).row(true);
        state.list.push(stored);
        self.store(&mut state)?;
        Ok((token, row))
    }

    /// Ends one. Blocks.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let mut state = self.current()?;
        let before = state.list.len();
        state.list.retain(|stored| stored.name != name);
        if state.list.len() == before {
            return Err(TokenError::Unknown(name.to_owned()));
        }
        self.store(&mut state)
    }

    /// What the file says now. A file that is wrong gives no token at all, and an error.
    fn current(&self) -> Result<MutexGuard<'_, State>, TokenError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(state);
        }
        let seen = self.seen();
        if state.looked.is_none() || seen != state.seen {
            state.list = Vec::new();
            state.looked = None;
            state.list = self.load()?;
            state.seen = seen;
        }
        state.looked = Some(Instant::now());
        Ok(state)
    }

    fn load(&self) -> Result<Vec<Stored>, TokenError> {
        let Some(bytes) = record::load_bytes(&self.file, LARGEST)? else { return Ok(Vec::new()) };
        serde_json::from_slice(&bytes)
            .map_err(|e| TokenError::Content { file: self.file.clone(), what: e.to_string() })
    }

    fn store(&self, state: &mut State) -> Result<(), TokenError> {
        let json = serde_json::to_string_pretty(&state.list)
            .map_err(|e| TokenError::Content { file: self.file.clone(), what: e.to_string() });
        let stored = json.and_then(|json| Ok(record::store_bytes(&self.file, json.as_bytes(), MODE)?));
        if stored.is_err() {
            // What is in memory is not what is in the file: read it again.
            state.looked = None;
            state.seen = None;
        } else {
            state.seen = self.seen();
        }
        stored
    }

    fn seen(&self) -> Option<(u64, u64, i64, i64)> {
        let meta = std::fs::metadata(&self.file).ok()?;
        Some((meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
    }
}

impl Bearer {
    /// As administrators see it.
    pub fn row(self, works: bool) -> TokenRow {
        let Bearer { name, role, maker, created, expires, last_use, .. } = self;
        let last_use = last_use.map(date);
        TokenRow { name, role, maker, works, created: date(created), expires: date(expires), last_use }
    }
}

fn bearer(stored: &Stored, now: i64) -> Bearer {
    Bearer {
        name: stored.name.clone(),
        role: stored.role,
        maker: stored.maker.clone(),
        proof: stored.proof,
        gone: stored.gone.is_some_and(|since| now - since >= DAY),
        created: stored.created,
        expires: stored.expires,
        last_use: stored.last_use,
        key: stored.blake3.clone(),
        stale: false,
    }
}

/// The present, as tokens count it.
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

fn date(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}

fn hash(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn boss() -> Making {
        let maker = Maker { user: "boss".to_owned(), method: "ldap".to_owned() };
        Making { maker, proof: Some(Proof::of("boss", "hash")), most_days: MOST_DAYS }
    }

    #[test]
    fn a_token_works_until_it_expires_or_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, now) = (Tokens::new(dir.path()), now());
        let (token, row) = tokens.create(("backup", Access::Control, 30), boss(), now).unwrap();
        assert!(token.expose().starts_with(PREFIX) && token.expose().len() == PREFIX.len() + 64);
        assert_eq!((row.role, row.last_use), (Access::Control, None));
        let file = dir.path().join("tokens.json");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&file).unwrap().contains(token.expose()), "only its hash");
        let found = tokens.find(token.expose(), now).unwrap();
        assert_eq!((found.name.as_str(), found.role, found.stale), ("backup", Access::Control, true));
        assert!(!tokens.find(token.expose(), now).unwrap().stale);
        tokens.store_uses().unwrap();
        // Another process, e.g. after a restart, reads the same.
        let again = Tokens::new(dir.path());
        assert!(again.list(now).unwrap()[0].last_use.is_some());
        let still = again.still(&found.key, now).unwrap();
        assert_eq!((still.role, still.maker), (Access::Control, Some(boss().maker)));
        assert_eq!(still.proof, boss().proof);
        let later = now + 30 * DAY;
        assert_eq!(again.find(token.expose(), later), None);
        for forged in
            ["", "sk_", "sk_0", token.expose().trim_start_matches(PREFIX), &token.expose().to_uppercase()]
        {
            assert_eq!(again.find(forged, now), None, "{forged}");
        }
        again.revoke("backup").unwrap();
        assert_eq!(again.find(token.expose(), now), None);
        assert_eq!(again.still(&found.key, now), None);
        assert!(matches!(again.revoke("backup"), Err(TokenError::Unknown(_))));
    }

    #[test]
    fn tokens_of_who_was_gone_for_a_day_never_work_again() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, now) = (Tokens::new(dir.path()), now());
        let (token, _) = tokens.create(("backup", Access::Control, 30), boss(), now).unwrap();
        let gone = |at: i64| Tokens::new(dir.path()).find(token.expose(), at).unwrap().gone;
        let note = |there, at| tokens.note(&boss().maker, there, at).unwrap();
        note(true, now);
        note(false, now);
        note(false, now + 3600);
        note(true, now + DAY - 1);
        assert!(!gone(now + DAY), "a directory may be wrong for some hours");
        note(false, now);
        assert!(!gone(now + DAY - 1) && gone(now + DAY));
        note(true, now + DAY);
        assert!(gone(now + DAY), "another one may have his name");
        let other = Maker { user: "boss".to_owned(), method: "file".to_owned() };
        let (token, _) =
            tokens.create(("other", Access::Admin, 1), Making { maker: other, ..boss() }, now).unwrap();
        note(false, now);
        assert!(!tokens.find(token.expose(), now + DAY - 1).unwrap().gone, "he is no user of the directory");
    }

    #[test]
    fn wrong_wishes_are_refused_and_a_wrong_file_gives_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, now) = (Tokens::new(dir.path()), now());
        assert!(matches!(tokens.create(("a b", Access::Admin, 1), boss(), now), Err(TokenError::Name)));
        for days in [0, MOST_DAYS + 1] {
            assert!(matches!(
                tokens.create(("a", Access::Admin, days), boss(), now),
                Err(TokenError::Days(_))
            ));
        }
        let bounded = Making { most_days: 30, ..boss() };
        assert!(matches!(tokens.create(("a", Access::Admin, 31), bounded, now), Err(TokenError::Days(30))));
        let labelled = format!("{LABEL}a");
        assert!(matches!(tokens.create((&labelled, Access::Admin, 1), boss(), now), Err(TokenError::Name)));
        let (token, _) = tokens.create(("a", Access::Admin, 1), boss(), now).unwrap();
        assert!(matches!(tokens.create(("a", Access::Admin, 1), boss(), now), Err(TokenError::Exists(_))));
        std::fs::write(dir.path().join("tokens.json"), "[{\"name\":").unwrap();
        let other = Tokens::new(dir.path());
        assert_eq!(other.find(token.expose(), now), None);
        let error = other.list(now).unwrap_err().to_string();
        assert!(error.contains("tokens.json"), "{error}");
    }
}
