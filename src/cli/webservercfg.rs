//! `SAFE/private/bin/webservercfg` (CLI-133, CLI-134): passwords of `admin` and of distributed commands.

use super::job::{CliError, Job};
use super::local::put;
use super::password;
use crate::config::paths::Paths;
use crate::node::webconf;
use crate::web::remote::secret;
use std::ffi::OsString;

/// Name of the program.
pub const NAME: &str = "webservercfg";

const HELP: &str = "\
Passwords of the web service of SafeKit

Usage: webservercfg -passwd [<password>]
       webservercfg -rcmdpasswd [<password>]

  -passwd      Set the password of the user admin and of distributed commands (safekit -H)
  -rcmdpasswd  Set that of distributed commands only; -rcmdpsswd is the same

Use the same password on all nodes, of 12 characters at least. Without <password>, or with -, it is asked
for, or read from standard input: on the command line other users of this machine may see it.

Examples:
  safekit -r webservercfg -passwd
  echo \"$PASSWORD\" | safekit -r webservercfg -rcmdpasswd
";

/// A command line of it, understood.
#[derive(PartialEq, Eq)]
pub enum Webservercfg {
    /// What it can do.
    Help,
    /// The password of `admin`, and the other one.
    Admin(Option<String>),
    /// The password of distributed commands.
    Rcmd(Option<String>),
}

/// Without the password.
impl std::fmt::Debug for Webservercfg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Webservercfg::Help => "Help",
            Webservercfg::Admin(_) => "Admin",
            Webservercfg::Rcmd(_) => "Rcmd",
        })
    }
}

/// The job of a command line, program name first.
pub fn job(args: &[OsString]) -> Result<Job, CliError> {
    let words: Vec<&str> = args.iter().skip(1).map(|word| word.to_str().unwrap_or("\u{fffd}")).collect();
    let given = |rest: &[&str]| match rest {
        [] | ["-"] => Ok(None),
        [password] => Ok(Some((*password).to_owned())),
        _ => Err(CliError::usage("one password at most: see webservercfg --help")),
    };
    Ok(Job::Webservercfg(match &words[..] {
        [] | ["-h" | "-?" | "--help", ..] => Webservercfg::Help,
        ["-passwd" | "--passwd", rest @ ..] => Webservercfg::Admin(given(rest)?),
        ["-rcmdpsswd" | "-rcmdpasswd" | "--rcmdpasswd", rest @ ..] => Webservercfg::Rcmd(given(rest)?),
        [other, ..] => {
            return Err(CliError::usage(format!("unknown option {other}: see webservercfg --help")));
        }
    }))
}

/// Does it.
pub fn run(command: Webservercfg) -> Result<i32, CliError> {
    let failed = |e: webconf::WebConfError| CliError::Failed(e.to_string());
    let paths = Paths::from_env()?;
    let asked = |given: Option<String>, question: &str| given.map_or_else(|| password::read(question), Ok);
    match command {
        Webservercfg::Help => put(HELP.as_bytes())?,
        Webservercfg::Admin(given) => {
            let password = asked(given, "New password of admin")?;
            webconf::set_admin(&paths, &password).map_err(failed)?;
            warn(&password);
        }
        Webservercfg::Rcmd(given) => {
            let password = asked(given, "New password of distributed commands")?;
            webconf::set_rcmd(&paths, &password).map_err(failed)?;
            warn(&password);
        }
    }
    Ok(0)
}

fn warn(password: &str) {
    if let Some(warning) = secret::warning(password) {
        eprintln!("Warning: {warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_guide_are_taken() {
        let parse = |line: &str| match job(&line.split(' ').map(OsString::from).collect::<Vec<_>>()) {
            Ok(Job::Webservercfg(command)) => Ok(command),
            Ok(other) => panic!("{other:?}"),
            Err(e) => Err(e.to_string()),
        };
        let word = Some("word".to_owned());
        assert!(parse("webservercfg -passwd word") == Ok(Webservercfg::Admin(word.clone())));
        for spelled in ["-rcmdpsswd", "-rcmdpasswd"] {
            assert!(parse(&format!("webservercfg {spelled} word")) == Ok(Webservercfg::Rcmd(word.clone())));
        }
        assert!(parse("webservercfg -passwd") == Ok(Webservercfg::Admin(None)));
        assert!(parse("webservercfg -passwd -") == Ok(Webservercfg::Admin(None)));
        assert!(parse("webservercfg") == Ok(Webservercfg::Help));
        assert!(parse("webservercfg -pass word").is_err() && parse("webservercfg -passwd a b").is_err());
        let shown = format!("{:?}", parse("webservercfg -passwd word"));
        assert!(!shown.contains("word"), "{shown}");
    }
}
