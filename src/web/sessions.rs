//! Who is logged in: sessions in memory, found by a random cookie.

use crate::control::Access;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session that nobody used for so long has ended. An open page counts as use.
pub const IDLE: Duration = Duration::from_secs(2 * 3600);
/// A session ends at the latest then.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Sessions of all users.
const MOST: usize = 1024;
/// Sessions of one user.
const MOST_OF_USER: usize = 64;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    fn of(cookie: &str) -> Key {
        Key(*blake3::hash(cookie.as_bytes()).as_bytes())
    }
}

/// What the password of a user is known by; another password has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof(pub(super) [u8; 32]);

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is logged in.
    pub user: String,
    /// Role at the login; none for a user without a role.
    pub access: Option<Access>,
    /// What a page must send with everything that changes something.
    pub csrf: Secret,
    /// The password that it began with, if this service knows the passwords.
    pub proof: Option<Proof>,
    /// From where the login came.
    pub address: IpAddr,
    since: Instant,
    used: Instant,
}

impl Session {
    fn over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
            || now.saturating_duration_since(self.since) >= LONGEST
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<Key, Session>>);

impl Sessions {
    /// Begins a session; gives back its cookie. The longest unused one makes room.
    pub fn begin(
        &self,
        user: &str,
        access: Option<Access>,
        proof: Option<Proof>,
        address: IpAddr,
        now: Instant,
    ) -> Result<(Secret, Session), getrandom::Error> {
        let (cookie, csrf) = (Secret::random()?, Secret::random()?);
        let user = user.to_owned();
        let session = Session { user, access, csrf, proof, address, since: now, used: now };
        let mut all = self.all();
        all.retain(|_, session| !session.over(now));
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
        if session.over(now) {
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

    /// Ends those of a user.
    pub fn end_of(&self, user: &str) {
        self.all().retain(|_, session| session.user != user);
    }

    /// Whether a user is logged in from an address.
    pub fn known(&self, user: &str, address: IpAddr) -> bool {
        self.all().values().any(|s| s.address == address && s.user == user)
    }

    /// How many there are.
    pub fn count(&self, now: Instant) -> usize {
        self.all().values().filter(|s| !s.over(now)).count()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn begin(all: &Sessions, user: &str, now: Instant) -> Secret {
        all.begin(user, Some(Access::Admin), None, HOME, now).unwrap().0
    }

    #[test]
    fn a_session_ends_by_disuse_and_by_age() {
        let (all, start) = (Sessions::default(), Instant::now());
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
        let (all, now) = (Sessions::default(), Instant::now());
        let cookie = begin(&all, "admin", now);
        assert!(all.find("0", now).is_none() && all.find(&cookie.expose().to_uppercase(), now).is_none());
        let (key, session) = all.find(cookie.expose(), now).unwrap();
        assert!(session.csrf.is(session.csrf.expose()) && !session.csrf.is(cookie.expose()));
        all.end(key);
        assert!(all.find(cookie.expose(), now).is_none());
    }

    #[test]
    fn their_number_is_bounded_and_one_user_cannot_push_others_out() {
        let (all, now) = (Sessions::default(), Instant::now());
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
