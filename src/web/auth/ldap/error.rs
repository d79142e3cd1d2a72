//! What goes wrong with a directory, for the log and for administrators.

use crate::log::Lang;
use crate::told::{Tell, Told, told};
use ldap3::{LdapError, LdapResult};

/// Result code of a wrong password.
pub(super) const INVALID_CREDENTIALS: u32 = 49;
/// Result code of an entry that is not there.
pub(super) const NO_SUCH_OBJECT: u32 = 32;

/// Why the directory does not answer the question: nobody has given a wrong password then.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
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
    #[error("the directory {server} refuses binddn and bindpwd ({result}): correct them in httpd.conf")]
    Reader {
        /// Its address.
        server: String,
        /// Its words.
        result: String,
    },
    /// It does not search.
    #[error("the directory {server} does not search in \"{base}\" ({result}): {advice}")]
    Search {
        /// Its address.
        server: String,
        /// Where it was to search.
        base: String,
        /// Its words.
        result: String,
        /// What to do.
        advice: Told,
    },
    /// It takes nobody's password.
    #[error(
        "the directory {server} takes no password ({result}): use ldaps:// or StartTLS in searchurl, or look into its log"
    )]
    Bind {
        /// Its address.
        server: String,
        /// Its words.
        result: String,
    },
}

impl Tell for DirectoryError {
    fn french(&self) -> String {
        use DirectoryError as E;
        match self {
            E::Slow(server) => format!("l'annuaire {server} ne répond pas à temps"),
            E::Ldap { server, source } => format!("l'annuaire {server} : {source}"),
            E::Reader { server, result } => format!(
                "l'annuaire {server} refuse binddn et bindpwd ({result}) : corrigez-les dans httpd.conf"
            ),
            E::Search { server, base, result, advice } => format!(
                "l'annuaire {server} ne cherche pas dans \"{base}\" ({result}) : {}",
                advice.of(Lang::Fr)
            ),
            E::Bind { server, result } => format!(
                "l'annuaire {server} n'accepte aucun mot de passe ({result}) : utilisez ldaps:// ou StartTLS dans \
                 searchurl, ou regardez son journal"
            ),
        }
    }
}

/// The words of the directory.
pub(super) fn said(result: &LdapResult) -> String {
    let text: String = result.text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { format!("code {}", result.rc) } else { format!("code {}: {text}", result.rc) }
}

/// What to do about the end of a search (RFC 4511 A.1).
pub(super) fn advice(code: u32) -> Told {
    match code {
        NO_SUCH_OBJECT | 34 => told!(
            "correct the base in searchurl of httpd.conf, or let binddn read there",
            "corrigez la base dans searchurl de httpd.conf, ou laissez binddn y lire"
        ),
        1 | 7 | 8 | 13 | 48 | 50 | 53 => told!(
            "define binddn and bindpwd of an entry that may read there, and use ldaps:// or StartTLS",
            "définissez binddn et bindpwd d'une entrée qui peut y lire, et utilisez ldaps:// ou StartTLS"
        ),
        10 => told!(
            "another server has that part: name it in searchurl of httpd.conf",
            "un autre serveur a cette partie : nommez-le dans searchurl de httpd.conf"
        ),
        3 | 4 | 11 => told!(
            "its limits are too small for this search, or several entries have the name",
            "ses limites sont trop basses pour cette recherche, ou plusieurs entrées ont ce nom"
        ),
        _ => told!("look into its log", "regardez son journal"),
    }
}

/// Whether a bind ended so whatever the password: operationsError, protocolError,
/// authMethodNotSupported, strongerAuthRequired, confidentialityRequired, busy, unavailable, other.
pub(super) fn takes_no_password(code: u32) -> bool {
    [1, 2, 7, 8, 13, 51, 52, 80].contains(&code)
}
