//! Running commands with a deadline.

use super::wait::PATIENCE;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; -1 if it was killed from outside of its machine.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a command to its end. It is killed, with all it has started, when it takes too long.
pub fn run(mut command: Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let group = Pid::from_raw(child.id().cast_signed());
    let (done, ended) = mpsc::channel();
    let waiter = thread::spawn(move || done.send(child.wait_with_output()));
    let output = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        // If it ended just now there is no such group.
        let _ = killpg(group, Signal::SIGKILL);
        ended.recv().expect("a killed command ends")
    });
    waiter.join().expect("the waiting thread ends").expect("the result was taken");
    let output = output.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
