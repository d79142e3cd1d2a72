//! `checkcert`: whether the installed certificates are good, and for which names (CLI-143).

use super::certificate::{self, Certificate, Distrust, Validity};
use super::files;
use super::{PkiError, names};
use crate::config::paths::Paths;
use crate::told::told;

/// What `checkcert` is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `-t server`.
    Server,
    /// `-t CA`.
    Authority,
    /// `-t all`: these, and the certificates of users that were made here.
    All,
    /// `-h` or `-i`: whether the server certificate is valid for this name or address.
    Covers(String),
}

/// What was found: lines for people, and whether all is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// A line for each check.
    pub lines: Vec<String>,
    /// Checks that failed.
    pub failures: u32,
}

impl Findings {
    fn good(&mut self, line: String) {
        self.lines.push(line);
    }

    fn bad(&mut self, line: String) {
        self.lines.push(format!("Error: {line}"));
        self.failures += 1;
    }

    /// Notes the outcome of a check.
    fn note(&mut self, outcome: Result<String, PkiError>) {
        match outcome {
            Ok(line) => self.good(line),
            Err(e) => self.bad(e.to_string()),
        }
    }
}

/// Answers a question.
pub fn check(paths: &Paths, question: &Question) -> Findings {
    let mut found = Findings::default();
    if let Question::Authority | Question::All = question {
        authorities(paths, &mut found);
    }
    if let Question::Server | Question::All = question {
        server(paths, &mut found);
    }
    if *question == Question::All {
        users(paths, &mut found);
    }
    if let Question::Covers(name) = question {
        found.note(covers(paths, name));
    }
    found
}

fn authorities(paths: &Paths, found: &mut Findings) {
    let path = files::authorities(paths);
    let all = match certificate::load(&path) {
        Ok(all) => all,
        Err(e) => return found.bad(e.to_string()),
    };
    for one in all {
        if !one.is_ca {
            let subject = &one.subject;
            let what = told!(
                "{subject} is not the certificate of a certification authority",
                "{subject} n'est pas le certificat d'une autorité de certification"
            );
            found.note(Err(PkiError::Content { path: path.clone(), what }));
            continue;
        }
        let described = format!("CA certificate: {}, SHA-256 {}", describe(&one), one.fingerprint());
        found.note(
            in_time(&one).map(|()| described).map_err(|why| PkiError::Distrusted { path: path.clone(), why }),
        );
    }
}

fn server(paths: &Paths, found: &mut Findings) {
    let path = files::server_certificate(paths);
    let chain = match certificate::load(&path) {
        Ok(chain) => chain,
        Err(e) => return found.bad(e.to_string()),
    };
    let own = &chain[0];
    found.good(format!("server certificate: {}, for {}", describe(own), all_names(own).join(", ")));
    found.note(key(paths, own).map(|()| "server key: belongs to the server certificate".into()));
    found.note(trusted(paths, &chain).map(|()| "server certificate: signed by the CA certificate".into()));
    for name in missing(paths, own) {
        found.note(Err(PkiError::Distrusted { path: path.clone(), why: Distrust::Name(name) }));
    }
}

fn users(paths: &Paths, found: &mut Findings) {
    // Without a file tree no certificate was made here.
    let dir = paths.web_conf().join("ca/certs");
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "cert"))
    {
        let checked = certificate::load(&path).and_then(|chain| {
            in_time(&chain[0]).map_err(|why| PkiError::Distrusted { path: path.clone(), why })?;
            Ok(format!("user certificate: {}", describe(&chain[0])))
        });
        found.note(checked);
    }
}

fn covers(paths: &Paths, name: &str) -> Result<String, PkiError> {
    let path = files::server_certificate(paths);
    let own = certificate::load(&path)?.swap_remove(0);
    if own.covers(name) {
        return Ok(format!("{name} is in the server certificate"));
    }
    Err(PkiError::Distrusted { path, why: Distrust::Name(name.to_owned()) })
}

/// Whether the installed key is that of the certificate.
pub(in crate::web) fn key(paths: &Paths, own: &Certificate) -> Result<(), PkiError> {
    let key = files::server_key(paths);
    let content = |what| PkiError::Content { path: key.clone(), what };
    if certificate::belongs(&certificate::load_key(&key)?, own).map_err(content)? {
        return Ok(());
    }
    Err(PkiError::KeyMismatch { certificate: files::server_certificate(paths), key })
}

/// Whether the installed authorities have signed the chain, and the present lies in its validity.
fn trusted(paths: &Paths, chain: &[Certificate]) -> Result<(), PkiError> {
    let authorities = certificate::load(&files::authorities(paths))?;
    let path = files::server_certificate(paths);
    // Any of its names will do: which it lacks is another question.
    let name =
        all_names(&chain[0]).into_iter().find(|name| !name.starts_with('*')).unwrap_or("localhost".into());
    certificate::verify(chain, &authorities, &name, certificate::now())
        .map_err(|why| PkiError::Distrusted { path, why })
}

/// The addresses of this node in cluster.xml for which the certificate is not valid.
pub(in crate::web) fn missing(paths: &Paths, own: &Certificate) -> Vec<String> {
    names::needed(paths).into_iter().filter(|name| !own.covers(name)).collect()
}

fn in_time(one: &Certificate) -> Result<(), Distrust> {
    match one.validity(certificate::now()) {
        Validity::Valid { .. } => Ok(()),
        Validity::NotYet => Err(Distrust::NotYetValid),
        Validity::Expired => Err(Distrust::Expired),
    }
}

fn describe(one: &Certificate) -> String {
    format!("{}, valid until {}", one.subject, certificate::date(one.not_after))
}

fn all_names(one: &Certificate) -> Vec<String> {
    let addresses = one.addresses.iter().map(std::net::IpAddr::to_string);
    one.names.iter().cloned().chain(addresses).collect()
}

/// Fails if an installed certificate is not good; what `initssl` does last.
pub(super) fn installed(paths: &Paths) -> Result<Vec<String>, PkiError> {
    let chain = certificate::load(&files::server_certificate(paths))?;
    key(paths, &chain[0])?;
    trusted(paths, &chain)?;
    let found = check(paths, &Question::All);
    Ok(found.lines)
}
