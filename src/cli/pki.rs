//! The commands of SAFE/web/bin for certificates (CLI-136 to CLI-143): this program under other names.

use super::job::{CliError, Context, Job};
use super::local::put;
use super::password;
use crate::config::paths::Paths;
use crate::control::access::Access;
use crate::web::pki::check::{self, Question};
use crate::web::pki::prompt::Ask;
use crate::web::pki::steps::{self, Server};
use crate::web::pki::{CA_USER, PkiError, role_named, service};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Names under which this program is a command for certificates.
pub const NAMES: [&str; 7] =
    ["initssl", "makeusercert", "checkcert", "getipandnames", "startcaserv", "stopcaserv", service::NAME];

/// What such a command does.
#[derive(Debug, PartialEq, Eq)]
pub enum PkiJob {
    /// `initssl sca`, with the subject of the authority.
    Create(Option<String>),
    /// `initssl rca`.
    Renew,
    /// `initssl req`, with the CA server if there is one.
    Request(Option<Server>),
    /// `makeusercert`.
    User(String, Access),
    /// `checkcert`.
    Check(Question),
    /// `getipandnames`.
    Names,
    /// `startcaserv`, with the password.
    Start(Option<String>),
    /// `stopcaserv`.
    Stop,
    /// The service itself.
    Serve,
}

const INITSSL_HELP: &str = "\
Examples:
  ./initssl sca
  ./initssl sca \"/O=My Company/OU=My Entity/CN=My Company Private Certificate Authority\"
  ./initssl req https://192.168.0.1:9001 CA_admin";

/// Make the certificates of the web service
#[derive(Debug, Parser)]
#[command(name = "initssl", after_help = INITSSL_HELP, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
struct Initssl {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create the certification authority of the cluster and the certificate of this node
    Sca {
        /// Subject of the authority, e.g. "/O=My Company/CN=My Authority"
        subject: Option<String>,
    },
    /// Make a new certificate of this node with the authority of this node
    Rca,
    /// Get the certificate of this node from the CA server; without it only make the requests
    Req(Req),
}

#[derive(Args, Debug)]
struct Req {
    /// Address of the CA service, e.g. https://node1:9001
    url: Option<String>,
    /// Its user CA_admin; the password is asked if it does not follow
    #[arg(value_name = "USER[:PASSWORD]")]
    user: Option<String>,
    /// SHA-256 fingerprint of its certification authority; asked if left out and not installed yet
    #[arg(long, value_name = "SHA256", requires = "url")]
    fingerprint: Option<String>,
}

const MAKEUSERCERT_HELP: &str = "\
Examples:
  ./makeusercert administrator Admin
  ./makeusercert operator Monitor";

/// Make a certificate with which a user's browser logs in
#[derive(Debug, Parser)]
#[command(name = "makeusercert", after_help = MAKEUSERCERT_HELP, arg_required_else_help = true)]
struct MakeUserCert {
    /// Name of the user
    name: String,
    /// Role of the user: Admin, Control or Monitor
    #[arg(value_parser = role)]
    role: Access,
}

fn role(text: &str) -> Result<Access, String> {
    role_named(text).ok_or_else(|| "the roles are Admin, Control and Monitor".to_owned())
}

const CHECKCERT_HELP: &str = "\
Examples:
  ./checkcert -t all
  ./checkcert -h node1.example.com
  ./checkcert -i 192.168.1.67";

/// Check the installed certificates
#[derive(Debug, Parser)]
#[command(name = "checkcert", after_help = CHECKCERT_HELP, arg_required_else_help = true)]
#[command(disable_help_flag = true)]
struct CheckCert {
    /// The certificates to check
    #[arg(short = 't', value_name = "WHICH", value_enum, group = "question")]
    which: Option<Which>,
    /// Whether the server certificate is valid for this DNS name
    #[arg(short = 'h', value_name = "NAME", group = "question")]
    name: Option<String>,
    /// Whether the server certificate is valid for this IP address
    #[arg(short = 'i', value_name = "ADDRESS", group = "question")]
    address: Option<std::net::IpAddr>,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    All,
    Server,
    #[value(name = "CA")]
    Ca,
}

/// Write the addresses and names of this node, for its certificate, to SAFE/web/conf
#[derive(Debug, Parser)]
#[command(name = "getipandnames")]
struct GetIpAndNames {}

/// Start the CA service, from which the other nodes get their certificates
#[derive(Debug, Parser)]
#[command(name = "startcaserv")]
struct StartCaServ {
    /// Password of its user CA_admin; asked if left out
    #[arg(long, value_name = "PASSWORD")]
    passwd: Option<String>,
}

/// Stop the CA service
#[derive(Debug, Parser)]
#[command(name = "stopcaserv")]
struct StopCaServ {}

/// The job of a command line, program name first, if the program is called by one of [`NAMES`].
pub fn job(args: &[OsString], _: &Context) -> Option<Result<Job, CliError>> {
    let name = Path::new(args.first()?).file_name().and_then(OsStr::to_str)?;
    NAMES.contains(&name).then(|| parsed(name, args).map(Job::Pki))
}

fn parsed(name: &str, args: &[OsString]) -> Result<PkiJob, CliError> {
    // The option of the guide has one hyphen.
    let args = args.iter().map(|arg| if arg == "-passwd" { "--passwd".into() } else { arg.clone() });
    Ok(match name {
        "initssl" => match Initssl::try_parse_from(args)?.what {
            What::Sca { subject } => PkiJob::Create(subject),
            What::Rca => PkiJob::Renew,
            What::Req(req) => PkiJob::Request(req.server()),
        },
        "makeusercert" => {
            let line = MakeUserCert::try_parse_from(args)?;
            PkiJob::User(line.name, line.role)
        }
        "checkcert" => PkiJob::Check(CheckCert::try_parse_from(args)?.question()?),
        "getipandnames" => GetIpAndNames::try_parse_from(args).map(|_| PkiJob::Names)?,
        "startcaserv" => PkiJob::Start(StartCaServ::try_parse_from(args)?.passwd),
        "stopcaserv" => StopCaServ::try_parse_from(args).map(|_| PkiJob::Stop)?,
        _ => PkiJob::Serve,
    })
}

impl Req {
    fn server(self) -> Option<Server> {
        let user = self.user.unwrap_or_else(|| CA_USER.to_owned());
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user.to_owned(), Some(password.to_owned())),
            None => (user, None),
        };
        Some(Server { url: self.url?, user, password, fingerprint: self.fingerprint })
    }
}

impl CheckCert {
    fn question(self) -> Result<Question, CliError> {
        match (self.which, self.name, self.address) {
            (Some(Which::All), ..) => Ok(Question::All),
            (Some(Which::Server), ..) => Ok(Question::Server),
            (Some(Which::Ca), ..) => Ok(Question::Authority),
            (_, Some(name), _) => Ok(Question::Covers(name)),
            (_, _, Some(address)) => Ok(Question::Covers(address.to_string())),
            _ => Err(CliError::usage("-t, -h or -i is needed: see checkcert --help")),
        }
    }
}

/// Whoever runs this program.
struct Terminal;

impl Ask for Terminal {
    fn line(&mut self, question: &str) -> Result<String, PkiError> {
        eprint!("{question} ");
        password::line().map_err(|e| PkiError::Unanswered(e.to_string()))
    }

    fn secret(&mut self, question: &str) -> Result<String, PkiError> {
        password::read_once(question).map_err(|e| PkiError::Unanswered(e.to_string()))
    }
}

/// Carries it out and returns the exit code.
pub fn perform(job: PkiJob) -> Result<i32, CliError> {
    let paths = Paths::from_env()?;
    if job == PkiJob::Serve {
        return Ok(service::run(&paths));
    }
    let lines = match job {
        PkiJob::Check(question) => {
            let found = check::check(&paths, &question);
            put(found.lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
            return Ok(i32::from(found.failures > 0));
        }
        _ if !nix::unistd::geteuid().is_root() => return Err(PkiError::NotRoot.into()),
        PkiJob::Create(subject) => steps::create(&paths, subject.as_deref())?,
        PkiJob::Renew => steps::renew(&paths)?,
        PkiJob::Request(server) => {
            let mut ask = Terminal;
            let asked = steps::request_certificates(&paths, server.as_ref(), &mut ask);
            actix_web::rt::System::new().block_on(asked)?
        }
        PkiJob::User(name, role) => steps::make_user(&paths, &name, role, &mut Terminal)?,
        PkiJob::Names => steps::get_ip_and_names(&paths)?,
        PkiJob::Start(password) => {
            let password = password.map_or_else(|| Terminal.needed("Password of CA_admin"), Ok)?;
            service::start(&paths, &password)?
        }
        PkiJob::Stop | PkiJob::Serve => service::stop(&paths)?,
    };
    put(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<PkiJob, CliError> {
        match super::super::parse(&line.iter().map(OsString::from).collect::<Vec<_>>(), &Context::default())?
        {
            Job::Pki(job) => Ok(job),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn command_lines_of_the_guide() {
        let server = |user: &str, password: Option<&str>, fingerprint: Option<&str>| {
            PkiJob::Request(Some(Server {
                url: "https://node1:9001".into(),
                user: user.into(),
                password: password.map(str::to_owned),
                fingerprint: fingerprint.map(str::to_owned),
            }))
        };
        let url = "https://node1:9001";
        for (line, wanted) in [
            (vec!["./initssl", "sca"], PkiJob::Create(None)),
            (vec!["initssl", "sca", "/O=x/CN=y"], PkiJob::Create(Some("/O=x/CN=y".into()))),
            (vec!["/opt/safekit/web/bin/initssl", "rca"], PkiJob::Renew),
            (vec!["initssl", "req"], PkiJob::Request(None)),
            (vec!["initssl", "req", url], server("CA_admin", None, None)),
            (vec!["initssl", "req", url, "CA_admin:PasW:rD"], server("CA_admin", Some("PasW:rD"), None)),
            (vec!["initssl", "req", url, "u", "--fingerprint", "AB"], server("u", None, Some("AB"))),
            (vec!["makeusercert", "manager", "Control"], PkiJob::User("manager".into(), Access::Control)),
            (vec!["checkcert", "-t", "all"], PkiJob::Check(Question::All)),
            (vec!["checkcert", "-t", "server"], PkiJob::Check(Question::Server)),
            (vec!["checkcert", "-t", "CA"], PkiJob::Check(Question::Authority)),
            (vec!["checkcert", "-h", "node1"], PkiJob::Check(Question::Covers("node1".into()))),
            (vec!["checkcert", "-i", "fd00::1"], PkiJob::Check(Question::Covers("fd00::1".into()))),
            (vec!["getipandnames"], PkiJob::Names),
            (vec!["startcaserv"], PkiJob::Start(None)),
            (vec!["startcaserv", "-passwd", "p"], PkiJob::Start(Some("p".into()))),
            (vec!["stopcaserv"], PkiJob::Stop),
        ] {
            assert_eq!(parse(&line).unwrap(), wanted, "{line:?}");
        }
        for bad in [
            vec!["initssl"],
            vec!["initssl", "ca"],
            vec!["initssl", "req", "--fingerprint", "AB"],
            vec!["makeusercert", "x", "Root"],
            vec!["makeusercert", "x"],
            vec!["checkcert", "-t", "all", "-h", "x"],
            vec!["checkcert", "-i", "node1"],
            vec!["startcaserv", "x"],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
    }
}
