//! What goes wrong with a directory, for the log and for administrators.

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
        advice: &'static str,
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

/// The words of the directory.
pub(super) fn said(result: &LdapResult) -> String {
    let text: String = result.text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { format!("code {}", result.rc) } else { format!("code {}: {text}", result.rc) }
}

/// What to do about the end of a search (RFC 4511 A.1).
pub(super) fn advice(code: u32) -> &'static str {
    match code {
        NO_SUCH_OBJECT | 34 => "correct the base in searchurl of httpd.conf, or let binddn read there",
        1 | 7 | 8 | 13 | 48 | 50 | 53 => {
            "define binddn and bindpwd of an entry that may read there, and use ldaps:// or StartTLS"
        }
        10 => "another server has that part: name it in searchurl of httpd.conf",
        3 | 4 | 11 => "its limits are too small for this search, or several entries have the name",
        _ => "look into its log",
    }
}

/// Whether a bind ended so whatever the password: operationsError, protocolError,
/// authMethodNotSupported, strongerAuthRequired, confidentialityRequired, busy, unavailable, other.
pub(super) fn takes_no_password(code: u32) -> bool {
    [1, 2, 7, 8, 13, 51, 52, 80].contains(&code)
}
