//! Printing of answers: what goes where, and when.

use super::job::{Ask, CliError, Print};
use super::local::{put, write_file};
use super::show;
use super::table::clean;
use crate::control::{Reply, Request};
use crate::fsm::state::Role;
use std::io::{IsTerminal, Write};

/// Erases the line and puts the cursor at its beginning.
const ERASE: &str = "\r\x1b[K";

/// Prints an answer as it comes.
pub struct Printer<'a> {
    ask: &'a Ask,
    /// Text kept until the end, so that a slow pager does not hold up the daemon, or for a file.
    held: Option<String>,
    /// Role of the module, for `state -lq`.
    role: Option<Role>,
    /// Standard error is a terminal: progress is shown there, on one line.
    live: bool,
    shown: bool,
}

impl<'a> Printer<'a> {
    /// For the answer to a request.
    pub fn new(ask: &'a Ask) -> Self {
        let log = matches!(ask.request, Request::Log { follow: false, .. });
        let held = (log || matches!(ask.print, Print::Save(_))).then(String::new);
        Printer { ask, held, role: None, live: std::io::stderr().is_terminal(), shown: false }
    }

    /// Prints one piece.
    pub fn reply(&mut self, reply: Reply) -> Result<(), CliError> {
        match reply {
            Reply::Progress(text) => {
                self.progress(&text);
                return Ok(());
            }
            Reply::Error(failure) => {
                self.erase();
                for line in failure.text.lines() {
                    eprintln!("Error: {}", clean(line));
                }
                return Ok(());
            }
            Reply::State(ref states) => self.role = states.first().map(|s| s.role),
            _ => {}
        }
        let text = match self.ask.print {
            Print::Json => show::json(&reply),
            Print::Role => self.role.map(|role| format!("{role}\n")).unwrap_or_default(),
            Print::Bare => show::bare(&reply),
            Print::Text | Print::Save(_) => show::text(&reply),
        };
        match &mut self.held {
            Some(held) => held.push_str(&text),
            None => {
                self.erase();
                put(text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Ends the answer and returns the exit code of the command.
    pub fn finish(mut self, code: i32, attachment: Vec<u8>) -> Result<i32, CliError> {
        self.erase();
        let held = self.held.take().unwrap_or_default();
        match &self.ask.print {
            // A failed command leaves the file as it was.
            Print::Save(_) if code != 0 => {}
            Print::Save(path) if matches!(self.ask.request, Request::Log { .. }) => {
                write_file(path, held.as_bytes())?;
            }
            Print::Save(path) => {
                put(held.as_bytes())?;
                write_file(path, &attachment)?;
            }
            _ => put(held.as_bytes())?,
        }
        match (&self.ask.print, self.role) {
            (Print::Role, Some(role)) if code == 0 => Ok(role.exit_code()),
            _ => Ok(code),
        }
    }

    fn progress(&mut self, text: &str) {
        if self.live {
            eprint!("{ERASE}{}", clean(text));
            // Progress that cannot be shown is not worth an error.
            let _ = std::io::stderr().flush();
            self.shown = true;
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("{ERASE}");
        }
    }
}
