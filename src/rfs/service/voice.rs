//! The box's side of the connection to safeadmin.

use crate::lock::lock;
use crate::rfs::control::{LONGEST, Line, Request, Said, line};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::Duration;

/// A safeadmin that does not read for this long has hung: its connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the safeadmin that is connected, if any. What is said to nobody is lost, except for what
/// the next one hears as the standing.
#[derive(Debug, Default)]
pub struct Voice(Mutex<Option<UnixStream>>);

impl Voice {
    /// From now on it speaks to this one.
    pub fn turn_to(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let old = lock(&self.0).replace(stream.try_clone()?);
        if let Some(old) = old {
            // It may be gone already.
            let _ = old.shutdown(Shutdown::Both);
        }
        Ok(())
    }

    /// Says something.
    pub fn say(&self, said: &Said) {
        let mut text = line(said);
        text.push('\n');
        let mut stream = lock(&self.0);
        if let Some(to) = stream.as_mut()
            && let Err(error) = to.write_all(text.as_bytes())
        {
            tracing::warn!(%error, "safeadmin does not listen");
            // It must see that nobody speaks to it any more.
            let _ = to.shutdown(Shutdown::Both);
            *stream = None;
        }
    }

    /// Ends the connection.
    pub fn hang_up(&self) {
        if let Some(stream) = lock(&self.0).take() {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// A line for the module log.
    pub fn log(&self, line: Line) {
        self.say(&Said::Line(line));
    }
}

/// The next request; `None` at the end of the connection.
pub fn hear(reader: &mut BufReader<UnixStream>) -> io::Result<Option<Request>> {
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    reader.by_ref().take(most).read_until(b'\n', &mut text)?;
    match text.pop() {
        Some(b'\n') => Ok(Some(serde_json::from_slice(&text)?)),
        _ => Ok(None),
    }
}
