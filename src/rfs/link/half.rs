//! The two halves of a link. With TLS both work on one connection under a lock, which is never held while
//! the network is waited for: the reader reads outside it, the writer encrypts under it and sends outside.

use super::LinkError;
use super::socket::Socket;
use crate::rfs::wire::{self, Frame};
use bytes::BytesMut;
use rustls::Connection;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that are read at once while the length of the next frame is not known.
const CHUNK: usize = 32 << 10;

/// Bytes that are encrypted before they are sent; more would only wait in memory.
const ENCRYPT: usize = 128 << 10;

/// First bytes of a TLS record of a handshake: what a plain link gets from a peer with a key.
const TLS_RECORD: [u8; 2] = [0x16, 0x03];

type Tls = Arc<Mutex<Connection>>;

/// Both halves of a link whose handshake is over.
pub(super) fn halves(
    socket: Arc<Socket>,
    mut tls: Option<Connection>,
) -> Result<(Reader, Writer), LinkError> {
    let mut buffer = BytesMut::new();
    if let Some(connection) = &mut tls {
        // It may have come in one piece with the end of the handshake, and nothing may follow it.
        take_plain(connection, &mut buffer)?;
    }
    let tls = tls.map(|connection| Arc::new(Mutex::new(connection)));
    let reader = Reader {
        socket: socket.clone(),
        tls: tls.clone(),
        raw: if tls.is_some() { vec![0; CHUNK] } else { Vec::new() },
        buffer,
        fresh: true,
    };
    Ok((reader, Writer { socket, tls, sealed: Vec::new(), rest: Vec::new() }))
}

fn lock(tls: &Tls) -> MutexGuard<'_, Connection> {
    // A panic inside rustls would be its defect; what it sends after that fails to authenticate.
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a link from any thread.
#[derive(Clone)]
pub struct Closer(Arc<Socket>);

impl Closer {
    /// Who waits in a read or a write of the link returns with an error.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }
}

/// The half that reads.
pub struct Reader {
    socket: Arc<Socket>,
    tls: Option<Tls>,
    raw: Vec<u8>,
    /// Plain bytes that were read and not yet given out.
    buffer: BytesMut,
    /// Nothing has come yet.
    fresh: bool,
}

impl Reader {
    /// How long a read may wait before it is [`LinkError::Quiet`]; none: without end.
    ///
    /// # Errors
    /// The socket is closed.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    /// The next frame. After [`LinkError::Quiet`] it goes on where it was.
    ///
    /// # Errors
    /// [`LinkError::Quiet`], [`LinkError::Closed`], [`LinkError::Broken`], [`LinkError::Frame`];
    /// [`LinkError::Handshake`] if this node has no key and the peer has one.
    pub fn frame(&mut self) -> Result<Frame, LinkError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            let want = wire::missing(&self.buffer)?.unwrap_or(CHUNK).max(CHUNK);
            self.fill(want)?;
            if self.fresh && self.buffer.starts_with(&TLS_RECORD) && self.tls.is_none() {
                return Err(LinkError::Handshake("the peer has a key and this node has none".into()));
            }
            self.fresh = false;
        }
    }

    /// A frame that has been read already; it never waits.
    ///
    /// # Errors
    /// [`LinkError::Frame`].
    pub fn buffered(&mut self) -> Result<Option<Frame>, LinkError> {
        Ok(wire::next(&mut self.buffer)?)
    }

    /// Handle to end the link.
    pub fn closer(&self) -> Closer {
        Closer(self.socket.clone())
    }

    /// Reads once from the network into the buffer; at most `want` bytes.
    fn fill(&mut self, want: usize) -> Result<(), LinkError> {
        let Some(tls) = &self.tls else {
            let start = self.buffer.len();
            self.buffer.resize(start + want, 0);
            let read = self.socket.read(&mut self.buffer[start..]);
            self.buffer.truncate(start + *read.as_ref().unwrap_or(&0));
            return ended(read).map(drop);
        };
        let read = ended(self.socket.read(&mut self.raw))?;
        decrypt(&mut lock(tls), &self.raw[..read], &mut self.buffer)
    }
}

/// Gives `raw` to the connection and appends what it says to `plain`.
fn decrypt(connection: &mut Connection, mut raw: &[u8], plain: &mut BytesMut) -> Result<(), LinkError> {
    while !raw.is_empty() {
        connection.read_tls(&mut raw).map_err(LinkError::Broken)?;
        take_plain(connection, plain)?;
    }
    Ok(())
}

/// Appends to `plain` what the connection has got and not given out.
fn take_plain(connection: &mut Connection, plain: &mut BytesMut) -> Result<(), LinkError> {
    let state = connection
        .process_new_packets()
        .map_err(|error| LinkError::Broken(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    let start = plain.len();
    plain.resize(start + state.plaintext_bytes_to_read(), 0);
    connection.reader().read_exact(&mut plain[start..]).map_err(LinkError::Broken)?;
    if state.peer_has_closed() && plain.is_empty() {
        return Err(LinkError::Closed);
    }
    Ok(())
}

fn ended(read: io::Result<usize>) -> Result<usize, LinkError> {
    match read {
        Ok(0) => Err(LinkError::Closed),
        Ok(read) => Ok(read),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LinkError::Quiet),
        Err(error) => Err(LinkError::Broken(error)),
    }
}

/// Plain bytes, for a protocol that has frames of its own.
impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.buffer.is_empty() {
            match self.fill(CHUNK) {
                Ok(()) => {}
                Err(LinkError::Closed) => return Ok(0),
                Err(LinkError::Broken(error)) => return Err(error),
                Err(LinkError::Quiet) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let taken = into.len().min(self.buffer.len());
        into[..taken].copy_from_slice(&self.buffer.split_to(taken));
        Ok(taken)
    }
}

/// The half that writes. Everything is sent before a call returns, but for [`Writer::offer`]. Dropped, it
/// ends this direction: the peer reads what was sent, and then the end.
pub struct Writer {
    socket: Arc<Socket>,
    tls: Option<Tls>,
    sealed: Vec<u8>,
    /// What was offered and not taken: it goes before anything else.
    rest: Vec<u8>,
}

impl Writer {
    /// Another timeout than that of the link's options, for the time after the handshake.
    ///
    /// # Errors
    /// The socket is closed.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_send_timeout(timeout)
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// [`LinkError::Frame`], and those of [`Writer::send`].
    pub fn frame(&mut self, frame: &Frame) -> Result<(), LinkError> {
        let mut head = Vec::new();
        let tail = wire::encode(frame, &mut head)?;
        self.send(&head, &tail)
    }

    /// Sends two parts, one after the other, without joining them first.
    ///
    /// # Errors
    /// [`LinkError::Timeout`] if the peer's machine took nothing for the timeout of the link;
    /// [`LinkError::Broken`].
    pub fn send(&mut self, head: &[u8], tail: &[u8]) -> Result<(), LinkError> {
        self.send_all(head, tail).map_err(broken)
    }

    fn send_all(&mut self, head: &[u8], tail: &[u8]) -> io::Result<()> {
        self.socket.write(&self.rest, &[])?;
        self.rest.clear();
        let Some(tls) = &self.tls else { return self.socket.write(head, tail) };
        for mut part in [head, tail] {
            while !part.is_empty() {
                self.sealed.clear();
                part = &part[seal(tls, part, &mut self.sealed)?..];
                self.socket.write(&self.sealed, &[])?;
            }
        }
        Ok(())
    }

    /// Sends what the kernel takes without waiting. The rest is sent by the next [`Writer::send`], before
    /// anything else: false then.
    ///
    /// # Errors
    /// [`LinkError::Broken`].
    pub fn offer(&mut self, bytes: &[u8]) -> Result<bool, LinkError> {
        let Some(tls) = &self.tls else {
            self.rest.extend_from_slice(bytes);
            return self.offer_rest();
        };
        let mut part = bytes;
        while !part.is_empty() {
            part = &part[seal(tls, part, &mut self.rest).map_err(broken)?..];
        }
        self.offer_rest()
    }

    fn offer_rest(&mut self) -> Result<bool, LinkError> {
        let taken = self.socket.write_now(&self.rest).map_err(broken)?;
        self.rest.drain(..taken);
        Ok(self.rest.is_empty())
    }

    /// Handle to end the link.
    pub fn closer(&self) -> Closer {
        Closer(self.socket.clone())
    }
}

/// Encrypts the beginning of `part` and appends it to `sealed`; how much of it that was. There is one
/// writer, so the records leave in the order in which they were sealed.
fn seal(tls: &Tls, part: &[u8], sealed: &mut Vec<u8>) -> io::Result<usize> {
    let mut connection = lock(tls);
    let taken = connection.writer().write(&part[..part.len().min(ENCRYPT)])?;
    while connection.wants_write() {
        connection.write_tls(sealed)?;
    }
    Ok(taken)
}

fn broken(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::TimedOut => LinkError::Timeout,
        _ => LinkError::Broken(error),
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.socket.shutdown_write();
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.send(bytes, &[]) {
            Ok(()) => Ok(bytes.len()),
            Err(LinkError::Broken(error)) => Err(error),
            Err(LinkError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
