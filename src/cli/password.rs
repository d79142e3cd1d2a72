//! A password from whoever runs a command: typed unseen, or the first line of the standard input, so that
//! it stands in no list of processes.

use super::job::CliError;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read};

/// Longest line that is read, bytes.
const LONGEST: u64 = 4096;

/// Reads it once from a script, twice from a terminal.
pub fn read(question: &str) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        return line();
    }
    let first = unseen(question)?;
    if unseen(&format!("{question} again"))? != first {
        return Err(CliError::usage("the two passwords differ"));
    }
    Ok(first)
}

/// Reads it once.
pub fn read_once(question: &str) -> Result<String, CliError> {
    if io::stdin().is_terminal() { unseen(question) } else { line() }
}

/// Reads a line that may be seen.
pub fn line() -> Result<String, CliError> {
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    read.map_err(CliError::file("standard input"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn unseen(question: &str) -> Result<String, CliError> {
    eprint!("{question}: ");
    let silent = Silent::begin().map_err(|e| CliError::file("terminal")(e.into()))?;
    let answer = line();
    drop(silent);
    // The end of the line was not shown either.
    eprintln!();
    answer
}

/// The terminal shows nothing of what is typed, until dropped.
struct Silent(Termios);

impl Silent {
    fn begin() -> nix::Result<Silent> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &silent)?;
        Ok(Silent(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
