//! The `safekit` command: the clap tree and printing, one file per command family.
//!
//! A command line becomes a [`Job`]; nearly all are a request to `safeadmin`. Exit codes: those
//! of spec/cli.md where it gives one, else 0 for success, 1 for failure, 2 for a wrong command line.

mod args;
mod cluster;
mod control;
mod farm;
mod htpasswd;
mod job;
mod local;
mod log;
mod module;
mod monitor;
mod node;
mod password;
pub mod pki;
mod print;
mod remote;
mod rescue;
mod rfs;
pub mod sandbox;
mod show;
mod table;
mod vip_if_ctrl;
mod webservercfg;

#[cfg(test)]
mod tests;

pub use args::Cli;
pub use job::{Ask, CliError, Context, Job, Print};

use crate::config::paths::Paths;
use crate::control::client::Client;
use crate::node::webconf;
use clap::Parser;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// This program under the names of special commands, below SAFE.
pub const ALIASES: [&str; 10] = [
    "private/bin/vip_if_ctrl",
    "private/bin/webservercfg",
    "bin/webservercfg",
    "web/bin/htpasswd",
    "web/bin/initssl",
    "web/bin/makeusercert",
    "web/bin/checkcert",
    "web/bin/getipandnames",
    "web/bin/startcaserv",
    "web/bin/stopcaserv",
];

/// How long a command waits for `safeadmin` (CLI-003), unless SAFEKIT_WAIT_MS says otherwise.
const PATIENCE: Duration = Duration::from_secs(2);

/// Carries out a command line, program name first, and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> i32 {
    let args: Vec<OsString> = args.into_iter().collect();
    let done = match parse(&args, &Context::from_env()) {
        Ok(job) => perform(job),
        Err(e) => Err(e),
    };
    done.unwrap_or_else(|error| error.report())
}

/// The job of a command line.
pub fn parse(args: &[OsString], context: &Context) -> Result<Job, CliError> {
    if args.first().is_some_and(|program| vip_if_ctrl::is_name(program)) {
        return vip_if_ctrl::job(args, context);
    }
    match args.first().and_then(|program| Path::new(program).file_name()).and_then(|name| name.to_str()) {
        Some(webservercfg::NAME) => return webservercfg::job(args),
        Some(htpasswd::NAME) => return htpasswd::job(args),
        _ => {}
    }
    if remote::is_special(args) {
        return remote::distribute(String::new(), Job::Special(Vec::new()));
    }
    if let Some(job) = pki::job(args, context) {
        return job;
    }
    // What follows -r belongs to the special command, whatever it looks like (CLI-108).
    if args.get(1).is_some_and(|a| a == "-r") {
        return match &args[2..] {
            [] => Err(CliError::usage("-r needs the name of a special command")),
            words => Ok(Job::Special(words.to_vec())),
        };
    }
    Cli::try_parse_from(args)?.job(context)
}

fn perform(job: Job) -> Result<i32, CliError> {
    match job {
        Job::Ask(ask) => answer(&ask),
        Job::Remote(remote) => remote::run(remote),
        Job::Environment => local::environment(),
        Job::Special(words) => local::special(&words),
        Job::Interfaces => vip_if_ctrl::interfaces(),
        Job::Webservercfg(command) => webservercfg::run(command),
        // Who is no root writes files of his own.
        Job::Htpasswd(command) => htpasswd::run(&command, webconf::owner().ok().filter(|_| is_root())),
        Job::Pki(job) => pki::perform(job),
        Job::Sandbox(command) => Ok(sandbox::run(command)?),
        Job::Completions(shell) => local::completions(shell),
    }
}

/// Sends a request and prints the answer.
fn answer(ask: &Ask) -> Result<i32, CliError> {
    let attachment = ask.attach.as_deref().map(local::read_file).transpose()?;
    let socket = Paths::from_env()?.admin_socket();
    let client = Client::connect(&socket, patience()?, || eprintln!("Waiting for safeadmin"))?;
    let mut answer = client.call(&ask.request, attachment.as_deref())?;
    let mut printer = print::Printer::new(ask);
    while let Some(reply) = answer.next_reply()? {
        printer.reply(reply)?;
    }
    let code = answer.code().unwrap_or(1);
    printer.finish(code, answer.into_attachment())
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn patience() -> Result<Duration, CliError> {
    match std::env::var("SAFEKIT_WAIT_MS") {
        Err(_) => Ok(PATIENCE),
        Ok(text) => text.parse().map(Duration::from_millis).map_err(|_| {
            CliError::usage(format!("SAFEKIT_WAIT_MS=\"{text}\" is not a number of milliseconds"))
        }),
    }
}
