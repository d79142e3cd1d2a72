//! Replicated directories: synchronization policy, comparison, forced secondary (spec/replication.md 5).

use super::args::{JsonArg, ModuleArg, ReadArgs};
use super::job::{CliError, Context, Job};
use crate::control::{Request, RfsRequest};
use crate::fsm::command::Command;
use crate::node::rfssync::{Policy, Side, check_uid};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Commands on the replicated directories of a module.
#[derive(Debug, Subcommand)]
pub enum RfsCommand {
    /// Synchronization policy of the replicated directories; shown without further words
    #[command(after_help = RFSSYNC_HELP)]
    Rfssync(RfssyncArgs),
    /// Compare the replicated files of this secondary with those of the primary
    #[command(after_help = "Example:\n  safekit rfsverify -m mirror")]
    Rfsverify(ReadArgs),
    /// How much a synchronization would copy: modified files, size, estimated duration
    #[command(after_help = "Example:\n  safekit rfsdiff -m mirror")]
    Rfsdiff(ReadArgs),
    /// Force a stopped module to start as secondary, copying only what was modified after a date
    #[command(after_help = SECONDFORCE_HELP)]
    Secondforce(SecondforceArgs),
}

const RFSSYNC_HELP: &str = "\
rfssync full                    the next synchronization copies everything
rfssync external prim <uid>     a backup named <uid> is taken from this node
rfssync external second <uid>   that backup is restored on this node
rfssync -d prim|second <uid>    the same, without detecting what is modified between backup
                                or restore and the start of the module

Examples:
  safekit rfssync -m mirror
  safekit rfssync external prim monday -m mirror
  safekit rfssync full -m mirror";

const SECONDFORCE_HELP: &str = "\
The date is YYYY-MM-DD, \"YYYY-MM-DD hh:mm:ss\" or YYYY-MM-DDThh:mm:ss: local time, or UTC with a Z
at its end.

Examples:
  safekit secondforce -d 2016-03-01 -m mirror
  safekit secondforce -d \"2016-03-01 12:00:00\" -m mirror
  safekit secondforce -d 2016-03-01T12:00:00Z -m mirror";

/// Arguments of `rfssync`.
#[derive(Args, Debug)]
pub struct RfssyncArgs {
    /// Do not detect modifications between backup or restore and the start of the module
    #[arg(short = 'd')]
    no_detection: bool,
    /// full, or external prim|second and the uid of the backup
    #[arg(value_name = "POLICY", num_args = 0..=3)]
    policy: Vec<String>,
    #[command(flatten)]
    module: ModuleArg,
    #[command(flatten)]
    json: JsonArg,
}

/// Arguments of `secondforce`.
#[derive(Args, Debug)]
pub struct SecondforceArgs {
    /// Files modified after it are copied
    #[arg(short = 'd', value_name = "DATE", value_parser = unix_time)]
    date: i64,
    #[command(flatten)]
    module: ModuleArg,
}

impl RfsCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let ask = |module: ModuleArg, json: bool, request| {
            Ok(Job::json(Request::Rfs { module: module.required(context)?, request }, json))
        };
        match self {
            RfsCommand::Rfssync(args) => {
                let request = rfssync(args.no_detection, &args.policy)?;
                ask(args.module, args.json.json, request)
            }
            RfsCommand::Rfsverify(args) => ask(args.module, args.json.json, RfsRequest::Verify),
            RfsCommand::Rfsdiff(args) => ask(args.module, args.json.json, RfsRequest::Diff),
            RfsCommand::Secondforce(args) => {
                let module = args.module.required(context)?;
                let command = Command::SecondForce { after: args.date };
                Ok(Job::text(Request::Control { module, command, identity: None, user: None }))
            }
        }
    }
}

/// RFS-50 to RFS-54.
fn rfssync(no_detection: bool, words: &[String]) -> Result<RfsRequest, CliError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (side, uid) = match (words.as_slice(), no_detection) {
        ([], false) => return Ok(RfsRequest::Policy),
        (["full"], false) => return Ok(RfsRequest::SetPolicy(Policy::Full)),
        (["external", side, uid], _) | ([side, uid], true) => (*side, *uid),
        _ => {
            let text = "write rfssync, rfssync full, rfssync external prim|second <uid> or rfssync -d prim|second <uid>";
            return Err(CliError::usage(text));
        }
    };
    let side = match side {
        "prim" => Side::Prim,
        "second" => Side::Second,
        other => return Err(CliError::usage(format!("\"{other}\" is neither prim nor second"))),
    };
    check_uid(uid).map_err(|e| CliError::usage(e.to_string()))?;
    Ok(RfsRequest::SetPolicy(Policy::External { side, uid: uid.to_owned(), detect: !no_detection }))
}

/// Unix time of one of the three forms of a date (RFS-60), in seconds.
pub(super) fn unix_time(text: &str) -> Result<i64, String> {
    let wrong = || {
        "write YYYY-MM-DD, \"YYYY-MM-DD hh:mm:ss\" or YYYY-MM-DDThh:mm:ss, with Z at the end for UTC"
            .to_owned()
    };
    let (civil, zone) = match text.strip_suffix('Z') {
        Some(rest) => (rest, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    // The parser knows many more forms.
    let shape: String = civil.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if !["0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00"].contains(&shape.as_str()) {
        return Err(wrong());
    }
    let date: DateTime = civil.parse().map_err(|_| format!("there is no such date: {}", wrong()))?;
    let time = date.to_zoned(zone).map_err(|e| e.to_string())?.timestamp();
    if time > Timestamp::now() {
        return Err("the date is in the future: nothing was modified after it".to_owned());
    }
    Ok(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-13.6e.
    #[test]
    fn dates_of_the_guide() {
        assert_eq!(unix_time("2016-03-01Z"), Ok(1_456_790_400));
        for noon in ["2016-03-01 12:00:00Z", "2016-03-01T12:00:00Z"] {
            assert_eq!(unix_time(noon), Ok(1_456_833_600), "{noon}");
        }
        let local = |text: &str| {
            let civil: DateTime = text.parse().unwrap();
            civil.to_zoned(TimeZone::system()).unwrap().timestamp().as_second()
        };
        for text in ["2016-03-01", "2016-03-01 12:00:00", "2016-03-01T12:00:00"] {
            assert_eq!(unix_time(text), Ok(local(text)), "{text}");
        }
        for (text, wanted) in [
            ("2016", "write YYYY-MM-DD"),
            ("2016-03-01 12:00", "write YYYY-MM-DD"),
            ("2016-03-01T12:00:00+01:00", "write YYYY-MM-DD"),
            ("2016-03-01ZZ", "write YYYY-MM-DD"),
            ("2016-02-30", "no such date"),
            ("2016-03-01T25:00:00Z", "no such date"),
            ("9000-01-01", "in the future"),
        ] {
            assert!(unix_time(text).unwrap_err().contains(wanted), "{text}");
        }
    }
}
