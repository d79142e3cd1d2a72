//! The job of `syncat` in the crontab of the user safekit (ST-36, RFS-35).

use super::firewall::Runner;
use super::record::{self, RecordError};
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::told::Tell;
use std::path::Path;

/// Whose crontab it is: the user may use `safekit`, and nothing else.
const USER: &str = "safekit";

/// Why the schedule is not kept. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum CrontabError {
    /// There is no cron.
    #[error(
        "syncat needs the command crontab, which is not installed: install cron (package cron or cronie), or take syncat out of userconfig.xml"
    )]
    Missing,
    /// It does not do what it is asked.
    #[error("the schedule of syncat cannot be kept in the crontab of the user {USER}: {0}")]
    Refused(String),
    /// The new crontab cannot be written.
    #[error(transparent)]
    File(#[from] RecordError),
}

impl Tell for CrontabError {
    fn french(&self) -> String {
        match self {
            CrontabError::Missing => {
                "syncat a besoin de la commande crontab, qui n'est pas installée : installez \
                cron (paquet cron ou cronie), ou retirez syncat de userconfig.xml"
                    .to_owned()
            }
            CrontabError::Refused(why) => format!(
                "la planification de syncat ne peut pas être gardée dans la crontab de l'utilisateur {USER} : {why}"
            ),
            CrontabError::File(e) => e.french(),
        }
    }
}

/// Makes `syncat` the schedule of the module, or removes it. `crontab` replaces the whole in one step;
/// what others have written there stays.
///
/// # Errors
/// See [`CrontabError`]. Where there is no crontab, there is nothing to remove.
pub fn schedule(
    paths: &Paths,
    module: &ModuleName,
    syncat: Option<&str>,
    run: &mut impl Runner,
) -> Result<(), CrontabError> {
    let old = match run.run(&["crontab", "-u", USER, "-l"]) {
        Ok(text) => text,
        Err(_) if syncat.is_none() => return Ok(()),
        Err(why) if why == "not installed" => return Err(CrontabError::Missing),
        Err(why) if why.contains("no crontab") || why.contains("No such file") => String::new(),
        Err(why) => return Err(CrontabError::Refused(why)),
    };
    let new = with_job(&old, &mark(module), syncat.map(|s| job(paths, module, s)).as_deref());
    if new == old {
        return Ok(());
    }
    let file = paths.uservar(module).join("crontab.new");
    record::store_bytes(&file, new.as_bytes(), 0o644)?;
    let done = run.run(&["crontab", "-u", USER, &file.to_string_lossy()]).map_err(CrontabError::Refused);
    record::remove(&file)?;
    done.map(drop)
}

/// Ends the line of the module's job; to the shell it is a comment.
fn mark(module: &ModuleName) -> String {
    format!(" # safekit syncat {module}")
}

fn job(paths: &Paths, module: &ModuleName, syncat: &str) -> String {
    // In a crontab % is the end of the command.
    let word = |path: &Path| {
        let text = path.to_string_lossy();
        // Paths hold no NUL, the one thing that cannot be quoted.
        shlex::try_quote(&text).map_or_else(|_| String::new(), |q| q.replace('%', "\\%"))
    };
    format!(
        "{syncat} SAFE={} SAFEVAR={} {} set -r rfs.syncat -v up -m {module}",
        word(&paths.safe),
        word(&paths.safevar),
        word(&paths.safe.join("safekit"))
    )
}

/// The crontab with this job in the place of the one that ends so.
fn with_job(old: &str, mark: &str, job: Option<&str>) -> String {
    let mut new = String::new();
    for line in old.lines().filter(|line| !line.ends_with(mark)) {
        new.push_str(line);
        new.push('\n');
    }
    if let Some(job) = job {
        new.push_str(job);
        new.push_str(mark);
        new.push('\n');
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A crontab; none: the user has none yet.
    struct Cron {
        text: Option<String>,
        fails: Option<&'static str>,
    }

    impl Runner for Cron {
        fn run(&mut self, command: &[&str]) -> Result<String, String> {
            assert_eq!(command[..3], ["crontab", "-u", "safekit"]);
            match (self.fails, command[3]) {
                (Some(why), _) => Err(why.to_owned()),
                (None, "-l") => {
                    self.text.clone().ok_or_else(|| "exit status: 1: no crontab for safekit".into())
                }
                (None, file) => {
                    self.text = Some(fs::read_to_string(file).expect("it was written"));
                    Ok(String::new())
                }
            }
        }
    }

    #[test]
    fn the_job_comes_is_replaced_and_goes_and_others_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new("/opt/safe kit", dir.path());
        let (a, b): (ModuleName, ModuleName) = ("a".parse().expect("a name"), "ab".parse().expect("a name"));
        let mut cron = Cron { text: None, fails: None };
        schedule(&paths, &a, None, &mut cron).expect("nothing to remove");
        assert_eq!(cron.text, None);
        schedule(&paths, &a, Some("01 0 * * *"), &mut cron).expect("it is kept");
        let var = dir.path().display();
        let job = format!(
            "SAFE='/opt/safe kit' SAFEVAR={var} '/opt/safe kit/safekit' set -r rfs.syncat -v up -m a # safekit syncat a\n"
        );
        assert_eq!(cron.text.as_deref(), Some(format!("01 0 * * * {job}").as_str()));
        schedule(&paths, &b, Some("5 * * * *"), &mut cron).expect("it is kept");
        schedule(&paths, &a, Some("02 1 * * *"), &mut cron).expect("it is kept");
        let text = cron.text.clone().unwrap_or_default();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with(&format!("02 1 * * * {job}")), "{text}");
        schedule(&paths, &a, None, &mut cron).expect("it is removed");
        let text = cron.text.clone().unwrap_or_default();
        assert!(text.lines().count() == 1 && text.starts_with("5 * * * * "), "{text}");
        assert_eq!(fs::read_dir(paths.uservar(&a)).expect("it is there").count(), 0);
    }

    #[test]
    fn without_cron_a_schedule_is_refused_and_none_is_nothing_to_do() {
        let paths = Paths::new("/nowhere", "/nowhere");
        let module = "a".parse().expect("a name");
        let mut none = Cron { text: None, fails: Some("not installed") };
        schedule(&paths, &module, None, &mut none).expect("nothing to do");
        let error = schedule(&paths, &module, Some("1 * * * *"), &mut none).expect_err("it needs cron");
        assert!(error.to_string().contains("install cron"), "{error}");
        let mut other = Cron { text: None, fails: Some("exit status: 1: user safekit unknown") };
        let error = schedule(&paths, &module, Some("1 * * * *"), &mut other).expect_err("there is no user");
        assert!(error.to_string().contains("unknown"), "{error}");
    }
}
