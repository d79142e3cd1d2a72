//! `safekit rescue`: what was kept before it was overwritten (S6), ours.

use super::args::{JsonArg, ModuleArg, ReadArgs};
use super::job::{CliError, Context, Job};
use super::local::absolute;
use super::rfs::unix_time;
use super::table::{clean, table};
use crate::control::{Request, RescueReport, RescueRequest};
use crate::fsm::start::Parting;
use crate::rfs::rescue::{Archive, Compared, Now, Purge, What};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands on the rescue archives of a module.
#[derive(Debug, Subcommand)]
pub enum RescueCommand {
    /// List the archives: when, why, how many files
    #[command(after_help = "Example:\n  safekit rescue list -m mirror")]
    List(ReadArgs),
    /// Compare the files of an archive with what is there now
    #[command(after_help = "Example:\n  safekit rescue diff -m mirror")]
    Diff(DiffArgs),
    /// Give back the files of an archive, with owner, permissions, date and extended attributes
    #[command(after_help = RESTORE_HELP)]
    Restore(RestoreArgs),
    /// Remove archives
    #[command(after_help = PURGE_HELP)]
    Purge(PurgeArgs),
}

const RESTORE_HELP: &str = "\
With --to each file goes below that directory, under its full path. With --in-place it takes the
place of what is there: only on the node that is ALONE or PRIM; the secondary gets it too.

Examples:
  safekit rescue restore --to /root/rescued -m mirror
  safekit rescue restore 2026-03-01T12-00-00Z --in-place --path /replicated/invoices -m mirror";

const PURGE_HELP: &str = "\
Examples:
  safekit rescue purge 2026-03-01T12-00-00Z -m mirror
  safekit rescue purge --before 2026-03-01 -m mirror
  safekit rescue purge --all -m mirror";

/// Arguments of `rescue diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// Name of the archive; the newest if left out
    archive: Option<String>,
    #[command(flatten)]
    read: ReadArgs,
}

/// Arguments of `rescue restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// Name of the archive; the newest if left out
    archive: Option<String>,
    /// Directory to restore to: absolute, empty or not there yet
    #[arg(long, value_name = "DIR", required_unless_present = "in_place", conflicts_with = "in_place")]
    to: Option<PathBuf>,
    /// Put the files back where they were
    #[arg(long)]
    in_place: bool,
    /// Only what is at or below this full path; may be repeated
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    module: ModuleArg,
    #[command(flatten)]
    json: JsonArg,
}

/// Arguments of `rescue purge`.
#[derive(Args, Debug)]
#[group(id = "which", required = true, multiple = false, args = ["archive", "before", "all"])]
pub struct PurgeArgs {
    /// Name of the archive
    archive: Option<String>,
    /// Those that were begun before this date
    #[arg(long, value_name = "DATE", value_parser = unix_time)]
    before: Option<i64>,
    /// Every one
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    module: ModuleArg,
}

impl RescueCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let ask = |module: ModuleArg, json: bool, request| {
            Ok(Job::json(Request::Rescue { module: module.required(context)?, request }, json))
        };
        match self {
            RescueCommand::List(args) => ask(args.module, args.json.json, RescueRequest::List),
            RescueCommand::Diff(DiffArgs { archive, read }) => {
                ask(read.module, read.json.json, RescueRequest::Diff { archive })
            }
            RescueCommand::Restore(args) => {
                let to = args.to.map(absolute).transpose()?;
                let paths = args.paths.into_iter().map(absolute).collect::<Result<_, _>>()?;
                let request = RescueRequest::Restore { archive: args.archive, to, paths };
                ask(args.module, args.json.json, request)
            }
            RescueCommand::Purge(args) => {
                // One of the three is given, says the group.
                let which = match (args.archive, args.before) {
                    (Some(name), _) => Purge::One(name),
                    (None, Some(second)) => Purge::Before(second),
                    (None, None) => Purge::All,
                };
                ask(args.module, false, RescueRequest::Purge(which))
            }
        }
    }
}

/// For people.
pub fn show(report: &RescueReport) -> String {
    match report {
        RescueReport::Archives(archives) if archives.is_empty() => "No rescue archive\n".to_owned(),
        RescueReport::Archives(archives) => {
            let rows: Vec<_> = archives.iter().map(archive).collect();
            table(Some(["Archive", "Reason", "Files", "Size", "Note"]), &rows)
        }
        RescueReport::Compared(files) => files.iter().map(compared).collect(),
        RescueReport::Restored { archive, files, left_out } => {
            let mut text = String::new();
            for path in left_out {
                text += &format!("not in the archive: {}\n", clean(path));
            }
            text + &format!("{files} files restored from {archive}\n")
        }
        RescueReport::Purged(names) => names.iter().map(|n| format!("{} removed\n", clean(n))).collect(),
    }
}

fn archive(a: &Archive) -> [String; 5] {
    let why = match a.header.why.why {
        Parting::Diverged => "both nodes went on alone",
        Parting::Overruled => "the primary had older data",
    };
    let mut notes = Vec::new();
    if a.header.open {
        notes.push("its reintegration has not ended".to_owned());
    }
    if a.left_out > 0 {
        notes.push(format!("{} files had no room", a.left_out));
    }
    if !a.read {
        notes.push("not looked at yet".to_owned());
    }
    let terms = format!("{why} (term {}, primary {})", a.header.why.from_term, a.header.why.to_term);
    let size = format!("{} KB", a.bytes.div_ceil(1024));
    [a.name.clone(), terms, a.files.to_string(), size, notes.join(", ")]
}

fn compared(c: &Compared) -> String {
    let now = match c.now {
        Now::Missing => "not there now".to_owned(),
        Now::OtherType => "of another type now".to_owned(),
        Now::OtherSize(size) => format!("{size} bytes now, {} then", c.size),
        Now::Different => "other content now".to_owned(),
        Now::Attributes => "same content, other owner, permissions or date".to_owned(),
        Now::Same => "the same".to_owned(),
        Now::Unknown => "the same size, its content was not kept".to_owned(),
    };
    let what = match c.what {
        What::Changed => "changed",
        What::OnlyHere => "only here",
        What::Attributes => "attributes",
    };
    let mut line = format!("{what}: {}: {now}", clean(&c.path));
    if let Some(why) = &c.left_out {
        line += &format!(" (not kept: {})", clean(why));
    }
    if c.doubtful {
        line += " (may be half copied: the clock was set back)";
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse;
    use std::ffi::OsString;

    fn request(line: &str) -> Result<RescueRequest, String> {
        let words = format!("safekit rescue {line} -m mirror");
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        match parse(&words, &Context::default()).map_err(|e| e.to_string())? {
            Job::Ask(ask) => match ask.request {
                Request::Rescue { request, .. } => ask_is_good(&request).map(|()| request),
                other => Err(format!("{other:?}")),
            },
            other => Err(format!("{other:?}")),
        }
    }

    fn ask_is_good(request: &RescueRequest) -> Result<(), String> {
        let module = "mirror".parse().map_err(|_| "a name")?;
        Request::Rescue { module, request: request.clone() }.check().map_err(|why| why.to_string())
    }

    #[test]
    fn the_forms_of_the_command() {
        let name = || Some("2026-03-01T12-00-00Z".to_owned());
        let restore = |archive, to: Option<&str>, paths: &[&str]| RescueRequest::Restore {
            archive,
            to: to.map(PathBuf::from),
            paths: paths.iter().map(PathBuf::from).collect(),
        };
        for (line, wanted) in [
            ("list", RescueRequest::List),
            ("diff", RescueRequest::Diff { archive: None }),
            ("diff 2026-03-01T12-00-00Z", RescueRequest::Diff { archive: name() }),
            ("restore --to /r", restore(None, Some("/r"), &[])),
            (
                "restore 2026-03-01T12-00-00Z --in-place --path /a --path /b",
                restore(name(), None, &["/a", "/b"]),
            ),
            ("purge --all", RescueRequest::Purge(Purge::All)),
            ("purge --before 2016-03-01Z", RescueRequest::Purge(Purge::Before(1_456_790_400))),
            ("purge 2026-03-01T12-00-00Z", RescueRequest::Purge(Purge::One("2026-03-01T12-00-00Z".into()))),
        ] {
            assert_eq!(request(line), Ok(wanted), "{line}");
        }
        for line in [
            "restore",
            "restore --to relative",
            "restore --to /a/../b",
            "restore --to /a --in-place",
            "restore --in-place --path x",
            "purge",
            "purge x --all",
        ] {
            assert!(request(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_printed_of_a_file() {
        let file = |now, left_out: Option<&str>, doubtful| Compared {
            path: "/d/a\u{1b}".to_owned(),
            what: What::Changed,
            size: 7,
            now,
            left_out: left_out.map(str::to_owned),
            doubtful,
        };
        let shown = |c| show(&RescueReport::Compared(vec![c]));
        assert_eq!(shown(file(Now::OtherSize(3), None, false)), "changed: /d/a?: 3 bytes now, 7 then\n");
        assert_eq!(
            shown(file(Now::Unknown, Some("no room"), true)),
            "changed: /d/a?: the same size, its content was not kept (not kept: no room) \
             (may be half copied: the clock was set back)\n"
        );
        assert_eq!(show(&RescueReport::Archives(Vec::new())), "No rescue archive\n");
    }
}
