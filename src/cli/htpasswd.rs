//! `SAFE/web/bin/htpasswd` (CLI-135): users of the web service. The options are those of Apache's program;
//! bcrypt is the only form that is written.

use super::job::{CliError, Job};
use super::local::put;
use super::password;
use crate::web::auth::edit::UserFile;
use crate::web::auth::htpasswd::{Hash, hash};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Name of the program.
pub const NAME: &str = "htpasswd";
/// Exit code for a password that does not fit, as of Apache's program.
const WRONG: i32 = 3;

const HELP: &str = "\
Users of the web service of SafeKit

Usage: htpasswd [-ciBv] <file> <user>
       htpasswd -b[cBv] <file> <user> <password>
       htpasswd -D <file> <user>
       htpasswd -n[ib][B] <user> [<password>]

  -c  Create a new file
  -i  Read the password from standard input
  -b  Take the password from the command line, where other users of this machine may see it
  -B  Write it with bcrypt; that is done without -B too
  -D  Delete the user
  -v  Verify the password of the user
  -n  Print the line instead of changing a file

Without -b and -i the password is asked for.

Examples:
  SAFE/web/bin/htpasswd -B SAFE/web/conf/user.conf operator
  SAFE/web/bin/htpasswd -D SAFE/web/conf/user.conf operator

Exit status: 0 success, 1 failure, 2 wrong command line, 3 wrong password
";

/// A command line of it, understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Htpasswd {
    what: What,
    create: bool,
    file: Option<PathBuf>,
    user: String,
    given: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Help,
    Set,
    Delete,
    Verify,
    Print,
}

/// The job of a command line, program name first.
pub fn job(args: &[OsString]) -> Result<Job, CliError> {
    let words: Vec<&str> = args.iter().skip(1).map(|word| word.to_str().unwrap_or("\u{fffd}")).collect();
    let split = words.iter().position(|word| !word.starts_with('-') || *word == "-").unwrap_or(words.len());
    let (options, rest) = words.split_at(split);
    if options.iter().any(|o| matches!(*o, "--help" | "-h" | "-?")) || words.is_empty() {
        let (what, create, file) = (What::Help, false, None);
        return Ok(Job::Htpasswd(Htpasswd { what, create, file, user: String::new(), given: None }));
    }
    let letters: Vec<char> = options.iter().flat_map(|o| o.chars().skip(1)).collect();
    for letter in &letters {
        match letter {
            'c' | 'i' | 'b' | 'B' | 'D' | 'v' | 'n' => {}
            'm' | 'd' | 's' | 'p' | '2' | '5' => {
                return Err(CliError::usage(format!("-{letter}: only bcrypt is written; leave it out")));
            }
            other => return Err(CliError::usage(format!("unknown option -{other}: see htpasswd --help"))),
        }
    }
    let has = |letter| letters.contains(&letter);
    let what = match (has('D'), has('v'), has('n')) {
        (false, false, false) => What::Set,
        (true, false, false) if !has('b') && !has('c') && !has('i') => What::Delete,
        (false, true, false) if !has('c') => What::Verify,
        (false, false, true) if !has('c') => What::Print,
        _ => return Err(CliError::usage("these options exclude one another: see htpasswd --help")),
    };
    let (file, rest) = match rest {
        rest if what == What::Print => (None, rest),
        [file, rest @ ..] => (Some(PathBuf::from(file)), rest),
        [] => return Err(CliError::usage("which file? See htpasswd --help")),
    };
    let (user, given) = match (rest, has('b')) {
        ([user], false) => (user, None),
        ([user, password], true) => (user, Some((*password).to_owned())),
        _ => {
            return Err(CliError::usage(
                "a user is needed, and a password with -b only: see htpasswd --help",
            ));
        }
    };
    Ok(Job::Htpasswd(Htpasswd { what, create: has('c'), file, user: (*user).to_owned(), given }))
}

/// Does it.
pub fn run(command: &Htpasswd, owner: Option<(u32, u32)>) -> Result<i32, CliError> {
    let failed = |e: crate::web::auth::edit::EditError| CliError::Failed(e.to_string());
    let path = command.file.as_deref().unwrap_or(Path::new(""));
    let file = || {
        if !command.create && !path.exists() {
            return Err(CliError::Failed(format!(
                "{}: there is no such file; -c creates it",
                path.display()
            )));
        }
        if command.create { Ok(UserFile::empty(path)) } else { UserFile::read(path).map_err(failed) }
    };
    match command.what {
        What::Help => put(HELP.as_bytes())?,
        What::Delete => {
            let mut file = file()?;
            file.remove(&command.user).map_err(failed)?;
            file.store(owner).map_err(failed)?;
        }
        What::Verify => {
            let file = file()?;
            let stored = Hash::parse(file.hash(&command.user).map_err(failed)?)
                .map_err(|e| CliError::Failed(e.to_string()))?;
            let given = command.given.clone().map_or_else(|| password::read_once("Password"), Ok)?;
            if !stored.verify(&given) {
                eprintln!("Error: the password is not that of {}", command.user);
                return Ok(WRONG);
            }
        }
        What::Set | What::Print => {
            let mut file = if command.what == What::Print { UserFile::empty(path) } else { file()? };
            let given = command.given.clone().map_or_else(|| password::read("New password"), Ok)?;
            let stored = hash(&given).map_err(|e| CliError::Failed(e.to_string()))?;
            file.set(&command.user, &stored).map_err(failed)?;
            if command.what == What::Print {
                put(format!("{}:{stored}\n", command.user).as_bytes())?;
            } else {
                file.store(owner).map_err(failed)?;
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Htpasswd, CliError> {
        match job(&line.split(' ').map(OsString::from).collect::<Vec<_>>())? {
            Job::Htpasswd(command) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_those_of_apache() {
        let set = parse("htpasswd -bB /conf/user.conf bob secret").unwrap();
        assert_eq!((set.what, set.create, set.user.as_str()), (What::Set, false, "bob"));
        assert_eq!(
            (set.file.as_deref(), set.given.as_deref()),
            (Some(Path::new("/conf/user.conf")), Some("secret"))
        );
        assert!(parse("htpasswd -c -B f bob").unwrap().create);
        assert_eq!(parse("htpasswd -D f bob").unwrap().what, What::Delete);
        assert_eq!(parse("htpasswd -vb f bob x").unwrap().what, What::Verify);
        assert_eq!(parse("htpasswd -nbB bob x").unwrap().what, What::Print);
        assert_eq!(parse("htpasswd -?").unwrap().what, What::Help);
        for bad in [
            "htpasswd -B f",
            "htpasswd f bob x",
            "htpasswd -b f bob",
            "htpasswd -Db f bob x",
            "htpasswd -x f bob",
            "htpasswd -m f bob",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn users_are_added_verified_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("user.conf");
        let run = |options: &str, rest: &str| {
            run(&parse(&format!("htpasswd {options} {} {rest}", file.display())).unwrap(), None)
        };
        assert!(run("-bB", "bob secret").is_err(), "no file yet");
        assert_eq!(run("-cbB", "bob secret").unwrap(), 0);
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("bob:$2y$10$"));
        assert_eq!(run("-vb", "bob secret").unwrap(), 0);
        assert_eq!(run("-vb", "bob other").unwrap(), WRONG);
        assert_eq!(run("-D", "bob").unwrap(), 0);
        assert!(run("-D", "bob").is_err());
    }
}
