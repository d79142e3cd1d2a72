//! A TCP socket with the settings of replication.

use nix::sys::socket::MsgFlags;
use socket2::{Domain, SockRef, Socket as Raw, TcpKeepalive, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connected socket, shared by both halves of a link.
pub(super) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects within `left`.
    pub(super) fn connect(
        address: SocketAddr,
        local: Option<IpAddr>,
        left: Duration,
        send_timeout: Duration,
    ) -> io::Result<Socket> {
        let raw = Raw::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(local) = local {
            raw.bind(&SocketAddr::new(local, 0).into())?;
        }
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        raw.connect_timeout(&address.into(), left)?;
        Socket::accepted(raw.into(), send_timeout)
    }

    /// A connection that the kernel has made already.
    pub(super) fn accepted(stream: TcpStream, send_timeout: Duration) -> io::Result<Socket> {
        let raw = SockRef::from(&stream);
        raw.set_tcp_nodelay(true)?;
        raw.set_tcp_keepalive(
            &TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5)),
        )?;
        let socket = Socket { stream };
        socket.set_send_timeout(send_timeout)?;
        Ok(socket)
    }

    /// How long the peer's machine may take nothing.
    pub(super) fn set_send_timeout(&self, timeout: Duration) -> io::Result<()> {
        let raw = SockRef::from(&self.stream);
        raw.set_tcp_user_timeout(Some(at_least(timeout)))?;
        raw.set_write_timeout(Some(at_least(timeout)))
    }

    /// How long a read waits; none: without end.
    pub(super) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout.map(at_least))
    }

    /// Reads what there is, or waits for it.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Writes both parts, one after the other, in as few system calls as the kernel allows.
    pub(super) fn write(&self, mut head: &[u8], mut tail: &[u8]) -> io::Result<()> {
        while !head.is_empty() || !tail.is_empty() {
            let parts = [io::IoSlice::new(head), io::IoSlice::new(tail)];
            let written = match (&self.stream).write_vectored(&parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"));
                }
                Err(error) => return Err(error),
            };
            let of_head = written.min(head.len());
            head = &head[of_head..];
            tail = &tail[written - of_head..];
        }
        Ok(())
    }

    /// Writes what the kernel takes without waiting; how much that was.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            match SockRef::from(&self.stream).send_with_flags(bytes, flags.bits()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                done => return done,
            }
        }
    }

    /// Ends the connection for both halves: who waits in a read or a write returns.
    pub(super) fn shutdown(&self) {
        // A connection that is gone already is what was wanted.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Ends the direction to the peer.
    pub(super) fn shutdown_write(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Zero would mean without end to the kernel.
fn at_least(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}

/// A socket whose reads and writes all end by a deadline, for a handshake.
pub(super) struct Until<'a> {
    pub(super) socket: &'a Socket,
    pub(super) deadline: Instant,
}

impl Until<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A handshake is a few hundred bytes: they fit into the kernel's buffer of a new connection.
        self.left()?;
        self.socket.write(bytes, &[])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
