//! A login that is under way at the provider: sealed in a cookie of the browser, so that nobody else can
//! end it and a flood of begun logins costs no memory.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};

/// A login must end within this time, seconds.
pub const LIFE_S: i64 = 600;
const NONCE: usize = 24;
/// Longest cookie.
const LONGEST: usize = 4000;

/// What must be the same at the end as at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// What the provider hands back to the browser.
    pub state: String,
    /// What the provider writes into its token.
    pub nonce: String,
    /// Proof that who ends the login has begun it (PKCE).
    pub verifier: String,
    /// Where the provider sends the browser.
    pub redirect: String,
    /// The page that wanted a login.
    pub next: String,
    /// Second, since 1970, from which on it is void.
    pub until: i64,
}

/// The key of this process.
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// A new one: a restart ends all logins under way.
    pub fn new() -> Result<Seal, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Seal(XChaCha20Poly1305::new(&key.into())))
    }

    /// The text of a cookie.
    pub fn close(&self, flight: &Flight) -> Option<String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let sealed = self.0.encrypt(&nonce.into(), serde_json::to_vec(flight).ok()?.as_slice()).ok()?;
        let text = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        (text.len() <= LONGEST).then_some(text)
    }

    /// The login of a cookie, if it is one of ours and not void at `now`, seconds since 1970.
    pub fn open(&self, text: &str, now: i64) -> Option<Flight> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let flight: Flight = serde_json::from_slice(&self.0.decrypt(&(*nonce).into(), sealed).ok()?).ok()?;
        (now < flight.until).then_some(flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_here_and_lately_is_opened() {
        let flight = Flight {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            redirect: "https://node1:9453/openid".into(),
            next: "/console/en/monitoring".into(),
            until: 1000,
        };
        let seal = Seal::new().unwrap();
        let text = seal.close(&flight).unwrap();
        assert_eq!(seal.open(&text, 999), Some(flight.clone()));
        assert_eq!(seal.open(&text, 1000), None);
        assert_eq!(Seal::new().unwrap().open(&text, 0), None, "sealed by another process");
        let mut forged = text.clone().into_bytes();
        forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
        for bad in
            [String::from_utf8(forged).unwrap(), String::new(), "x".repeat(5000), text[..60].to_owned()]
        {
            assert_eq!(seal.open(&bad, 0), None, "{bad:.20}");
        }
    }
}
