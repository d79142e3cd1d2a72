//! `<errd>`: death of processes and services (CFG-ER).

use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::told::{Told, told};
use std::ops::RangeInclusive;
use std::time::Duration;

/// `<errd>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errd {
    /// Period of the polls (CFG-ER-01).
    pub polltimer: Duration,
    /// Monitored processes.
    pub procs: Vec<Proc>,
}

/// What follows when the number of processes is wrong (CFG-ER-08).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcAction {
    /// Local restart of the application.
    Restart,
    /// Stop and start of the module.
    StopStart,
    /// Stop of the module.
    Stop,
    /// A message only.
    NoAction,
    /// A handler: absolute path, or relative to the module's bin.
    Handler(String),
}

/// `<proc>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proc {
    /// Command or service name, and resource `proc.<name>` (CFG-ER-02).
    pub name: String,
    /// Regular expression on the command name (CFG-ER-03).
    pub nameregex: Option<String>,
    /// A systemd service (CFG-ER-04).
    pub service: bool,
    /// Regular expression on the argument list (CFG-ER-05).
    pub argregex: Option<String>,
    /// Fewest processes; none: not checked (CFG-ER-06).
    pub atleast: Option<u32>,
    /// Most processes; none: not checked (CFG-ER-07).
    pub atmax: Option<u32>,
    /// What follows.
    pub action: ProcAction,
    /// Class that is enabled and disabled as one (CFG-ER-09).
    pub class: String,
    /// Monitoring begins (n-1) polls after the class is enabled (CFG-ER-10).
    pub start_after: u32,
}

/// Default of `polltimer`.
const POLLTIMER: Duration = Duration::from_secs(30);
const POLLTIMERS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// Longest command name that Linux keeps.
const LONGEST_COMMAND: usize = 15;
/// Longest name of a service.
const LONGEST_SERVICE: usize = 63;
/// Classes that start and stop scripts enable and disable.
const STANDARD_CLASSES: [&str; 5] = ["prim", "both", "pre", "second", "sec"];

/// Reads `<errd>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<Errd> {
    let tag = parent.open(element, &["polltimer"], &["proc"]);
    tag.unsupported();
    Some(Errd {
        polltimer: tag.or("polltimer", POLLTIMER, units::duration(Unit::S, POLLTIMERS)),
        procs: tag.all("proc").filter_map(|e| read_proc(&tag, e)).collect(),
    })
}

fn read_proc<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<Proc> {
    let attributes =
        ["name", "nameregex", "service", "argregex", "atleast", "atmax", "action", "class", "start_after"];
    let tag = parent.open(element, &attributes, &[]);
    let service = tag.or("service", false, units::yes_no);
    let nameregex = tag.get("nameregex", regex);
    let longest = if service || nameregex.is_some() { LONGEST_SERVICE } else { LONGEST_COMMAND };
    let name = tag.need("name", |text| match units::name(text) {
        Ok(name) if name.len() <= longest => Ok(name),
        Ok(_) => Err(told!("write at most {longest} characters", "écrivez au plus {longest} caractères")),
        Err(what) => Err(what),
    });
    let action = tag.or("action", ProcAction::StopStart, action);
    let class = tag.need("class", units::name);
    if let (ProcAction::Handler(_), Some(class)) = (&action, &class)
        && STANDARD_CLASSES.contains(&class.as_str())
    {
        tag.fault_of(
            "class",
            told!(
                "a process with a handler needs a class of its own",
                "un processus avec un handler a besoin d'une classe à lui"
            ),
        );
    }
    let argregex = tag.get("argregex", regex);
    let (atleast, atmax) = (tag.or("atleast", Some(1), count), tag.or("atmax", None, count));
    let start_after = tag.or("start_after", 0, units::integer(0..=1000));
    let (name, class) = (name?, class?);
    Some(Proc { name, nameregex, service, argregex, atleast, atmax, action, class, start_after })
}

fn action(text: &str) -> Result<ProcAction, Told> {
    match text {
        "restart" => Ok(ProcAction::Restart),
        "stopstart" => Ok(ProcAction::StopStart),
        "stop" => Ok(ProcAction::Stop),
        "noaction" => Ok(ProcAction::NoAction),
        "" => Err(told!(
            "write restart, stopstart, stop, noaction or the path of a handler",
            "écrivez restart, stopstart, stop, noaction ou le chemin d'un handler"
        )),
        _ => Ok(ProcAction::Handler(text.to_owned())),
    }
}

/// -1 switches a limit off.
fn count(text: &str) -> Result<Option<u32>, Told> {
    match text {
        "-1" => Ok(None),
        _ => units::integer(0..=1_000_000)(text).map(Some).map_err(|mut e| {
            e += told!(", or -1", ", ou -1");
            e
        }),
    }
}

/// A regular expression that compiles.
pub(super) fn regex(text: &str) -> Result<String, Told> {
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => {
            let why = e.to_string().replace('\n', " ");
            Err(told!("not a regular expression: {why}", "ce n'est pas une expression régulière : {why}"))
        }
    }
}
