//! Users of SAFE/web/conf: user.conf (htpasswd) and group.conf (WEB-42). Read again when they change.

use super::group::Groups;
use super::htpasswd::{self, Hash};
use super::{AccessRow, AuthError, Login, is_name};
use crate::control::Access;
use crate::told::{Told, told};
use crate::web::sessions::Proof;
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Passwords checked at the same time: the machine has other work.
const CHECKS: usize = 2;
/// Passwords that wait to be checked; more are turned away.
const WAITING: usize = 32;
/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_millis(500);
/// A password that was right is right for so long, unless a file changes: scripts send it each time.
const REMEMBER: Duration = Duration::from_secs(60);
/// Passwords remembered.
const REMEMBERED: usize = 256;
/// Longest file that is read, bytes.
const LONGEST: u64 = 4 << 20;

/// What a file is known by: number, size and date of change.
type Seen = Option<(u64, u64, i64, i64)>;

/// The users of the files.
#[derive(Debug)]
pub struct FileUsers {
    users: PathBuf,
    groups: PathBuf,
    state: Mutex<State>,
    checks: Semaphore,
    waiting: Semaphore,
    /// Of this process only: what is remembered is of no use elsewhere.
    pepper: [u8; 32],
}

#[derive(Debug, Default)]
struct State {
    seen: (Seen, Seen),
    looked: Option<Instant>,
    known: Arc<Known>,
    right: HashMap<[u8; 32], Instant>,
}

/// What the files say.
#[derive(Debug, Default)]
struct Known {
    users: BTreeMap<String, Hash>,
    /// `None`: there is no group.conf, everybody is Admin.
    groups: Option<Groups>,
    problems: Vec<Told>,
}

impl Known {
    fn role(&self, user: &str) -> Option<Access> {
        self.groups.as_ref().map_or(Some(Access::Admin), |groups| groups.role(user))
    }
}

impl FileUsers {
    /// Those of the files in a directory, which need not be there yet.
    pub fn new(conf: &Path) -> FileUsers {
        let mut pepper = [0; 32];
        // Without randomness what is remembered is keyed by zeros, in the memory of this process.
        let _ = getrandom::fill(&mut pepper);
        FileUsers {
            users: conf.join("user.conf"),
            groups: conf.join("group.conf"),
            state: Mutex::default(),
            checks: Semaphore::new(CHECKS),
            waiting: Semaphore::new(WAITING),
            pepper,
        }
    }

    /// Checks a password; an unknown user takes as long as a wrong password.
    pub async fn check(&self, user: &str, password: &str) -> Result<Login, AuthError> {
        let known = self.known();
        let found = is_name(user).then(|| known.users.get(user)).flatten();
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(AuthError::Slower(Duration::from_secs(1)));
        };
        // Never closed, and each check is short: the wait is bounded by those before.
        let Ok(_turn) = self.checks.acquire().await else { return Err(AuthError::Wrong) };
        let (hash, tried) = (found.cloned().unwrap_or_else(htpasswd::nobody), password.to_owned());
        let right = tokio::task::spawn_blocking(move || hash.verify(&tried)).await.unwrap_or(false);
        let Some(found) = found.filter(|_| right) else { return Err(AuthError::Wrong) };
        self.remember(self.proof(user, password, found));
        Ok(Login { user: user.to_owned(), access: known.role(user) })
    }

    /// The login of a password that was right a moment ago.
    pub fn remembered(&self, user: &str, password: &str) -> Option<Login> {
        let known = self.known();
        let proof = self.proof(user, password, known.users.get(user)?);
        let right = self.state().right.get(&proof).is_some_and(|at| at.elapsed() < REMEMBER);
        right.then(|| Login { user: user.to_owned(), access: known.role(user) })
    }

    /// Role of a user who has logged in before; `None` if he is no user any more.
    pub fn role(&self, user: &str) -> Option<Option<Access>> {
        let known = self.known();
        known.users.contains_key(user).then(|| known.role(user))
    }

    /// What the present password of a user is known by.
    pub fn present(&self, user: &str) -> Option<Proof> {
        let known = self.known();
        let hash = known.users.get(user)?;
        Some(Proof::of(user, hash.text()))
    }

    /// The users, and what is wrong with the files, for administrators.
    pub fn report(&self) -> (Vec<AccessRow>, Vec<Told>) {
        let known = self.known();
        let row = |name: &String| AccessRow { name: name.clone(), role: known.role(name) };
        (known.users.keys().map(row).collect(), known.problems.clone())
    }

    /// What a password is remembered by: not the password, and gone with the hash it belongs to.
    fn proof(&self, user: &str, password: &str, hash: &Hash) -> [u8; 32] {
        let mut keyed = blake3::Hasher::new_keyed(&self.pepper);
        for part in [user, password] {
            keyed.update(&(part.len() as u64).to_le_bytes());
            keyed.update(part.as_bytes());
        }
        keyed.update(hash.text().as_bytes());
        *keyed.finalize().as_bytes()
    }

    fn remember(&self, proof: [u8; 32]) {
        let mut state = self.state();
        if state.right.len() >= REMEMBERED {
            state.right.retain(|_, at| at.elapsed() < REMEMBER);
        }
        if state.right.len() < REMEMBERED {
            state.right.insert(proof, Instant::now());
        }
    }

    /// What the files say, read again if they have changed.
    fn known(&self) -> Arc<Known> {
        let mut state = self.state();
        if state.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return state.known.clone();
        }
        let seen = (seen(&self.users), seen(&self.groups));
        if state.looked.is_none() || seen != state.seen {
            state.known = Arc::new(self.read());
            state.seen = seen;
            for problem in &state.known.problems {
                tracing::warn!("{problem}");
            }
        }
        state.looked = Some(Instant::now());
        state.known.clone()
    }

    fn read(&self) -> Known {
        let mut known = Known::default();
        let (users, groups) = (self.users.display(), self.groups.display());
        match text(&self.users) {
            Ok(text) => {
                let (found, problems) = parse_users(&text);
                known.users = found;
                known.problems.extend(problems.iter().map(|p| p.map(|p| format!("{users}:{p}"))));
            }
            Err(e) => known.problems.push(told!(
                "cannot read {users}: {e}: nobody can log in; set a password with webservercfg -passwd",
                "impossible de lire {users} : {e} : personne ne peut se connecter ; définissez un mot de passe avec webservercfg -passwd"
            )),
        }
        match text(&self.groups) {
            Ok(text) => {
                let (found, problems) = Groups::parse(&text);
                known.problems.extend(problems.iter().map(|p| p.map(|p| format!("{groups}:{p}"))));
                known.groups = Some(found);
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => {
                known.problems.push(told!(
                    "cannot read {groups}: {e}: nobody has a role",
                    "impossible de lire {groups} : {e} : personne n'a de rôle"
                ));
                known.groups = Some(Groups::default());
            }
        }
        known
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seen(file: &Path) -> Seen {
    std::fs::metadata(file).ok().map(|of| (of.ino(), of.len(), of.mtime(), of.mtime_nsec()))
}

fn text(file: &Path) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > LONGEST {
        return Err(std::io::Error::other(format!("it is longer than {LONGEST} bytes")));
    }
    std::fs::read_to_string(file)
}

fn parse_users(text: &str) -> (BTreeMap<String, Hash>, Vec<Told>) {
    let (mut users, mut problems) = (BTreeMap::new(), Vec::new());
    for (line, text) in text.lines().enumerate().map(|(i, text)| (i + 1, text.trim())) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.split_once(':') {
            Some((user, hash)) if is_name(user) => match Hash::parse(hash) {
                Ok(hash) => drop(users.insert(user.to_owned(), hash)),
                Err(why) => {
                    let mut problem = told!("{line}: user {user}: ", "{line} : utilisateur {user} : ");
                    problem += why;
                    problems.push(problem);
                }
            },
            _ => problems.push(told!(
                "{line}: write user:password, as htpasswd does",
                "{line} : écrivez utilisateur:mot de passe, comme le fait htpasswd"
            )),
        }
    }
    (users, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `secret` and `other` of one round less work than usual tests could wait for.
    const SECRET: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

    fn write(dir: &Path, name: &str, text: &str) {
        std::fs::write(dir.join(name), text).unwrap();
    }

    /// As if the time until the next look were over.
    fn look(users: &FileUsers) {
        users.state().looked = Some(Instant::now().checked_sub(LOOK).unwrap());
    }

    #[tokio::test]
    async fn w_11a_without_groups_everybody_is_admin() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "user.conf", &format!("admin:{SECRET}\nbroken:x\n"));
        let users = FileUsers::new(dir.path());
        let login = users.check("admin", "secret").await.unwrap();
        assert_eq!(login.access, Some(Access::Admin));
        for (user, password) in
            [("admin", "other"), ("nobody", "secret"), ("broken", "x"), ("a\nb", "secret")]
        {
            assert_eq!(users.check(user, password).await, Err(AuthError::Wrong));
        }
        let (_, problems) = users.report();
        assert!(
            matches!(&problems[..], [p] if p.to_string().contains("user.conf:2: user broken")),
            "{problems:?}"
        );
    }

    #[tokio::test]
    async fn w_11a_with_groups_only_the_listed_have_a_role() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "user.conf", &format!("admin:{SECRET}\nmanager:{SECRET}\noperator1:{SECRET}\n"));
        let users = FileUsers::new(dir.path());
        assert_eq!(users.role("manager"), Some(Some(Access::Admin)));
        write(dir.path(), "group.conf", "Control : manager\nMonitor : operator1 operator2\n");
        look(&users);
        assert_eq!(users.check("admin", "secret").await.unwrap().access, None);
        assert_eq!(users.check("manager", "secret").await.unwrap().access, Some(Access::Control));
        assert_eq!(users.role("operator1"), Some(Some(Access::Monitor)));
        write(dir.path(), "user.conf", &format!("manager:{SECRET}\n"));
        look(&users);
        assert_eq!(users.role("operator1"), None);
        assert!(users.remembered("manager", "secret").is_some());
        // Remembered or not, a removed user is refused.
        assert_eq!(users.remembered("admin", "secret"), None);
        assert_eq!(users.check("admin", "secret").await, Err(AuthError::Wrong));
    }

    #[tokio::test]
    async fn nobody_logs_in_without_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let users = FileUsers::new(dir.path());
        assert_eq!(users.check("admin", "").await, Err(AuthError::Wrong));
        assert!(users.report().1[0].to_string().contains("webservercfg -passwd"));
    }
}
