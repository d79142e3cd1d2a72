//! What this program does inside the machines: it is the application of the module, and it takes the time
//! of commands where they run.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// The port of the application.
pub const PORT: u16 = 8080;

/// A helper's job, if the arguments ask for one.
pub fn run(arguments: &[String]) -> Option<ExitCode> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => Some(serve(PORT)),
        ["serve", port] => Some(serve(port.parse().expect("a port"))),
        ["time", count, program, ref rest @ ..] => Some(time(count, program, rest)),
        _ => None,
    }
}

/// This program, as a word of a shell.
pub fn itself() -> String {
    let path = std::env::current_exe().expect("this program has a path");
    shlex::try_quote(&path.to_string_lossy()).expect("a path has no NUL").into_owned()
}

/// Tells everybody who connects the number of the node.
fn serve(port: u16) -> ExitCode {
    let name = nix::unistd::gethostname().expect("a machine has a name");
    let number = name.as_encoded_bytes().last().copied().expect("it is not empty");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
    for stream in listener.incoming() {
        // A client that has gone again is none of ours.
        let _ = stream.and_then(|mut stream| stream.write_all(&[number]));
    }
    ExitCode::SUCCESS
}

/// Prints how long each run of a command took, in microseconds. `{run}` in its arguments is the number of
/// the run.
fn time(count: &str, program: &str, arguments: &[&str]) -> ExitCode {
    for run in 0..count.parse::<u32>().expect("a number of runs") {
        let mut command = Command::new(program);
        let this_run = arguments.iter().map(|argument| argument.replace("{run}", &run.to_string()));
        command.args(this_run).stdin(Stdio::null()).stdout(Stdio::null());
        let begin = Instant::now();
        let status = command.status().expect("it can be started");
        let took = begin.elapsed();
        assert!(status.success(), "{program} {arguments:?}: {status}");
        println!("{}", took.as_micros());
    }
    ExitCode::SUCCESS
}
