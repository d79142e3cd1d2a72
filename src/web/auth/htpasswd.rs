//! Passwords as htpasswd writes them: bcrypt, `$apr1$` and `{SHA}` are read, bcrypt is written.

use crate::told::{Told, told};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;

/// Work of a new bcrypt hash: about 60 ms.
const COST: u32 = 10;
/// A hash with more work would block a login for seconds.
const MOST_COST: u32 = 14;
/// bcrypt takes no more of a password, bytes.
pub const LONGEST: usize = 72;
/// The alphabet of apr1.
const ITOA64: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A stored password.
#[derive(Clone, PartialEq, Eq)]
pub enum Hash {
    /// `$2y$10$...`
    Bcrypt(String),
    /// `$apr1$salt$...`
    Apr1 {
        /// Up to 8 characters.
        salt: String,
        /// 22 characters.
        digest: String,
    },
    /// `{SHA}...`
    Sha(String),
}

/// Without what could be guessed from.
impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Hash::Bcrypt(_) => "Bcrypt",
            Hash::Apr1 { .. } => "Apr1",
            Hash::Sha(_) => "Sha",
        })
    }
}

impl Hash {
    /// Reads what stands after the colon of a line of user.conf.
    pub fn parse(text: &str) -> Result<Hash, Told> {
        if let Some(rest) = text.strip_prefix("$apr1$") {
            return match rest.split_once('$') {
                Some((salt, digest)) if salt.len() <= 8 && digest.len() == 22 => {
                    Ok(Hash::Apr1 { salt: salt.to_owned(), digest: digest.to_owned() })
                }
                _ => Err(told!(
                    "the $apr1$ password is damaged: set it again with htpasswd",
                    "le mot de passe $apr1$ est endommagé : redéfinissez-le avec htpasswd"
                )),
            };
        }
        if let Some(digest) = text.strip_prefix("{SHA}") {
            return Ok(Hash::Sha(digest.to_owned()));
        }
        if !["$2y$", "$2b$", "$2a$"].iter().any(|kind| text.starts_with(kind)) {
            return Err(told!(
                "the password is of no supported kind: set it again with htpasswd -B",
                "le mot de passe est d'un type qui n'est pas pris en charge : redéfinissez-le avec htpasswd -B"
            ));
        }
        match text.get(4..6).and_then(|cost| cost.parse::<u32>().ok()) {
            Some(4..=MOST_COST) if text.len() == 60 => Ok(Hash::Bcrypt(text.to_owned())),
            Some(cost) if text.len() == 60 => Err(told!(
                "the work {cost} of the bcrypt password is not within 4 and {MOST_COST}: set it again with htpasswd -B",
                "le coût {cost} du mot de passe bcrypt n'est pas entre 4 et {MOST_COST} : redéfinissez-le avec htpasswd -B"
            )),
            _ => Err(told!(
                "the bcrypt password is damaged: set it again with htpasswd -B",
                "le mot de passe bcrypt est endommagé : redéfinissez-le avec htpasswd -B"
            )),
        }
    }

    /// What differs between passwords.
    pub fn text(&self) -> &str {
        let (Hash::Bcrypt(text) | Hash::Sha(text) | Hash::Apr1 { digest: text, .. }) = self;
        text
    }

    /// Whether it is the hash of this password. Takes the same time however wrong it is; bcrypt
    /// takes tens of milliseconds: call it on a thread that may block.
    pub fn verify(&self, password: &str) -> bool {
        match self {
            Hash::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Hash::Apr1 { salt, digest } => same(&apr1(password.as_bytes(), salt.as_bytes()), digest),
            Hash::Sha(digest) => same(&STANDARD.encode(Sha1::digest(password.as_bytes())), digest),
        }
    }
}

/// A new password as it is stored; blocks for tens of milliseconds.
pub fn hash(password: &str) -> Result<String, String> {
    if password.is_empty() || password.len() > LONGEST {
        return Err(format!("a password must have 1 to {LONGEST} bytes"));
    }
    let parts =
        bcrypt::hash_with_result(password, COST).map_err(|e| format!("cannot make the password: {e}"))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoY))
}

/// A hash that nobody's password has: checked for unknown users, so that they take as long as others.
pub fn nobody() -> Hash {
    Hash::Bcrypt("$2y$10$abcdefghijklmnopqrstuuK4bOa9hS1bqfXc1Qz0yFlfSMLSZ7xZC".to_owned())
}

fn same(a: &str, b: &str) -> bool {
    // Equality of hashes of this library takes the same time whatever the difference.
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

/// The MD5 scheme of Apache: that of BSD's crypt with another name.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let mut inner = Md5::new();
    inner.update(password);
    inner.update(salt);
    inner.update(password);
    let inner = inner.finalize();
    let mut first = Md5::new();
    first.update(password);
    first.update(b"$apr1$");
    first.update(salt);
    let mut left = password.len();
    while left > 0 {
        let part = left.min(16);
        first.update(&inner[..part]);
        left -= part;
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0][..] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut digest = first.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &digest[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round % 2 == 1 { &digest[..] } else { password });
        digest = next.finalize();
    }
    let order = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)];
    let mut text = String::new();
    let mut put = |mut bits: u32, chars: usize| {
        for _ in 0..chars {
            text.push(char::from(ITOA64[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    for (a, b, c) in order {
        put(u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]), 4);
    }
    put(u32::from(digest[11]), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_htpasswd_and_openssl_wrote_is_read() {
        // openssl passwd -apr1 -salt 12345678 secret; htpasswd -nbs.
        for (stored, password) in [
            ("$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0", "secret"),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"),
        ] {
            let hash = Hash::parse(stored).unwrap();
            assert!(hash.verify(password), "{stored}");
            for wrong in ["Secret", "secret ", "", "secre"] {
                assert!(!hash.verify(wrong), "{stored} {wrong}");
            }
        }
    }

    #[test]
    fn what_is_written_is_bcrypt_and_read_again() {
        let stored = hash("pwd").unwrap();
        assert!(stored.starts_with("$2y$10$"));
        let hash_of = Hash::parse(&stored).unwrap();
        assert!(hash_of.verify("pwd") && !hash_of.verify("pwd2"));
        assert!(hash("").is_err() && hash(&"x".repeat(73)).is_err());
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        for (bad, why) in [
            ("plain", "no supported kind"),
            ("$apr1$toolongsalt$x", "damaged"),
            ("$2y$31$abcdefghijklmnopqrstuuK4bOa9hS1bqfXc1Qz0yFlfSMLSZ7xZC", "work 31"),
            ("$2y$10$short", "damaged"),
        ] {
            assert!(Hash::parse(bad).unwrap_err().to_string().contains(why), "{bad}");
        }
        assert!(!format!("{:?}", nobody()).contains("$2y"));
        // Valid, so that it takes its time.
        let Hash::Bcrypt(nobody) = nobody() else { panic!("another kind") };
        assert!(matches!(bcrypt::verify("x", &nobody), Ok(false)));
    }
}
