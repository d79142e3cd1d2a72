//! Who is logged in: sessions, found by a random cookie. They are in memory, and in a file so that they outlive a
//! restart ([`kept`](super::kept)).

use super::digest::Digest;
use super::kept::Kept;
use crate::control::Access;
use crate::lock::lock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A session that nobody used for so long has ended. An open page counts as use.
pub const IDLE: Duration = Duration::from_secs(2 * 3600);
/// A session ends at the latest then.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// One that an identity provider has begun, which is not asked again: a day's work.
pub const LONGEST_UNASKED: Duration = Duration::from_secs(8 * 3600);
/// Sessions of all users.
pub const MOST: usize = 1024;
/// Sessions of one user.
const MOST_OF_USER: usize = 64;
/// That they are used is stored no more often.
const USE_STEP: Duration = Duration::from_secs(300);

/// A random text that proves something; compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// 256 random bits.
    pub fn random() -> Result<Secret, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The same, recognizable by how it begins.
    pub fn random_with(prefix: &str) -> Result<Secret, getrandom::Error> {
        Ok(Secret(prefix.to_owned() + Secret::random()?.expose()))
    }

    /// The text, for whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        // Equality of hashes of this library takes the same time whatever the difference.
        blake3::hash(self.0.as_bytes()) == blake3::hash(text.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Finds a session without knowing its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl Key {
    fn of(cookie: &str) -> Key {
        Key(Digest::of("safekit web: key of a session", cookie))
    }
}

/// What a page must send with everything that changes something: only who has the cookie can know it.
pub fn csrf(cookie: &str) -> Secret {
    Secret(Digest::of("safekit web: csrf token of a session", cookie).into())
}

/// What the password of a user is known by; another password has another one, the same hashed again too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof(Digest);

impl Proof {
    /// Of a user and what user.conf has of his password.
    pub fn of(user: &str, hash: &str) -> Proof {
        Proof(Digest::of("safekit web: password of a user", &format!("{user}:{hash}")))
    }
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is logged in.
    pub user: String,
    /// Role at the login; none for a user without a role.
    pub access: Option<Access>,
    /// The password that it began with, if this service knows the passwords.
    pub proof: Option<Proof>,
    /// From where the login came.
    pub address: IpAddr,
    /// When it began.
    pub since: Instant,
    /// When it was used last.
    pub used: Instant,
}

impl Session {
    fn over(&self, now: Instant, longest: Duration) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
            || now.saturating_duration_since(self.since) >= longest
    }
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    all: Mutex<HashMap<Key, Session>>,
    longest: Duration,
    kept: Kept,
    /// When they were stored last; held while they are.
    stored: Mutex<Instant>,
}

impl Sessions {
    /// Those that are kept and not over. Each ends at the latest after `longest`.
    pub fn new(longest: Duration, kept: Kept) -> Sessions {
        let now = Instant::now();
        let mut all: HashMap<Key, Session> = kept.load(now).into_iter().collect();
        all.retain(|_, session| !session.over(now, longest));
        Sessions { all: Mutex::new(all), longest, kept, stored: Mutex::new(now) }
    }

    /// How long one may last.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// Stores them as they are now. Blocks.
    pub fn store(&self) {
        let mut stored = lock(&self.stored);
        let now = Instant::now();
        let all: Vec<(Key, Session)> = self.all().iter().map(|(key, s)| (*key, s.clone())).collect();
        self.kept.store(all, now);
        *stored = now;
    }

    /// Whether it is time to store that they are used; it is said once.
    pub fn stale(&self, now: Instant) -> bool {
        // While they are being stored nobody waits: they are stored.
        let Ok(mut stored) = self.stored.try_lock() else { return false };
        let stale = now.saturating_duration_since(*stored) >= USE_STEP;
        if stale {
            *stored = now;
        }
        stale
    }

    /// Begins a session; gives back its cookie. The longest unused one makes room.
    pub fn begin(
        &self,
        user: &str,
        access: Option<Access>,
        proof: Option<Proof>,
        address: IpAddr,
        now: Instant,
    ) -> Result<(Secret, Session), getrandom::Error> {
        let cookie = Secret::random()?;
        let user = user.to_owned();
        let session = Session { user, access, proof, address, since: now, used: now };
        let mut all = self.all();
        all.retain(|_, session| !session.over(now, self.longest));
        let of_user = all.values().filter(|s| s.user == session.user).count();
        if of_user >= MOST_OF_USER {
            forget_oldest(&mut all, |s| s.user == session.user);
        } else if all.len() >= MOST {
            forget_oldest(&mut all, |_| true);
        }
        all.insert(Key::of(cookie.expose()), session.clone());
        Ok((cookie, session))
    }

    /// The session of a cookie, which counts as used now.
    pub fn find(&self, cookie: &str, now: Instant) -> Option<(Key, Session)> {
        let key = Key::of(cookie);
        self.touch(key, now).map(|session| (key, session))
    }

    /// The same by its key.
    pub fn touch(&self, key: Key, now: Instant) -> Option<Session> {
        let mut all = self.all();
        let session = all.get_mut(&key)?;
        if session.over(now, self.longest) {
            all.remove(&key);
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub fn end(&self, key: Key) -> Option<Session> {
        self.all().remove(&key)
    }

    /// Whether a user is logged in from an address.
    pub fn known(&self, user: &str, address: IpAddr) -> bool {
        self.all().values().any(|s| s.address == address && s.user == user)
    }

    /// How many there are.
    pub fn count(&self, now: Instant) -> usize {
        self.all().values().filter(|s| !s.over(now, self.longest)).count()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        lock(&self.all)
    }
}

fn forget_oldest(all: &mut HashMap<Key, Session>, of: impl Fn(&Session) -> bool) {
    let oldest = all.iter().filter(|(_, s)| of(s)).min_by_key(|(_, s)| s.used).map(|(key, _)| *key);
    if let Some(key) = oldest {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn sessions() -> Sessions {
        Sessions::new(LONGEST, Kept::nowhere())
    }

    fn begin(all: &Sessions, user: &str, now: Instant) -> Secret {
        all.begin(user, Some(Access::Admin), None, HOME, now).unwrap().0
    }

    #[test]
    fn a_session_ends_by_disuse_and_by_age() {
        let (all, start) = (sessions(), Instant::now());
        let cookie = begin(&all, "admin", start);
        assert!(all.find(cookie.expose(), start + IDLE - Duration::from_secs(1)).is_some());
        assert!(all.find(cookie.expose(), start + 2 * IDLE).is_none());
        let cookie = begin(&all, "admin", start);
        let mut now = start;
        while now < start + LONGEST - Duration::from_secs(1800) {
            assert!(all.find(cookie.expose(), now).is_some());
            now += Duration::from_secs(1800);
        }
        assert!(all.find(cookie.expose(), start + LONGEST).is_none());
    }

    #[test]
    fn forged_and_ended_cookies_find_nothing() {
        let (all, now) = (sessions(), Instant::now());
        let cookie = begin(&all, "admin", now);
        assert!(all.find("0", now).is_none() && all.find(&cookie.expose().to_uppercase(), now).is_none());
        let (key, _) = all.find(cookie.expose(), now).unwrap();
        let token = csrf(cookie.expose());
        assert!(token.is(csrf(cookie.expose()).expose()) && !token.is(cookie.expose()));
        let of_key: String = key.0.into();
        assert!(!token.is(&of_key), "who knows what is stored knows no token");
        all.end(key);
        assert!(all.find(cookie.expose(), now).is_none());
    }

    #[test]
    fn their_number_is_bounded_and_one_user_cannot_push_others_out() {
        let (all, now) = (sessions(), Instant::now());
        let other = begin(&all, "other", now);
        for i in 0..2 * MOST_OF_USER {
            begin(&all, "admin", now + Duration::from_secs(i as u64));
        }
        assert_eq!(all.count(now), MOST_OF_USER + 1);
        assert!(all.find(other.expose(), now).is_some());
        for i in 0..MOST {
            begin(&all, &format!("user{i}"), now);
        }
        assert_eq!(all.count(now), MOST);
    }
}
