//! A link as the channel of a reintegration: each message after its length.

use crate::rfs::link::{LinkError, Reader, Writer};
use crate::rfs::resync;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest message, bytes: a packet of reintegration and its head.
const LONGEST: usize = 9 << 20;

/// Both halves of a link.
pub(super) struct Channel {
    reader: Reader,
    writer: Writer,
    sent: Option<Arc<AtomicU64>>,
}

impl Channel {
    /// A channel on which nothing may keep silent for longer than `timeout`; none: for ever. What it sends
    /// is added to `sent`.
    pub fn new(
        reader: Reader,
        writer: Writer,
        timeout: Option<Duration>,
        sent: Option<Arc<AtomicU64>>,
    ) -> io::Result<Channel> {
        reader.set_timeout(timeout)?;
        Ok(Channel { reader, writer, sent })
    }
}

impl resync::Channel for Channel {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("a message of reintegration is too long"))?;
        if let Some(sent) = &self.sent {
            sent.fetch_add(u64::from(length), Ordering::Relaxed);
        }
        self.writer.send(&length.to_le_bytes(), message).map_err(failed)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of reintegration is too long"));
        }
        let mut message = vec![0; length];
        self.reader.read_exact(&mut message)?;
        Ok(message)
    }
}

fn failed(error: LinkError) -> io::Error {
    io::Error::other(error.to_string())
}
