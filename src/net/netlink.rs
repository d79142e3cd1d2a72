//! One request to the kernel over netlink and its whole answer, with every wait bounded.
//!
//! Answers are handed on as raw bytes: callers pick the attributes they need and skip the others,
//! so a newer kernel with attributes of another shape cannot make a failover fail.

use super::NetError;
use netlink_packet_core::{
    DecodeError, Emitable, ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
    NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable, NlasIterator,
};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::time::Duration;

/// Length of the header of every netlink message.
const HEADER: usize = 16;
/// Longest wait for one datagram of the kernel, which answers within microseconds.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// The usual size of a socket's buffer, bytes.
const USUAL_BUFFER: usize = 212_992;
/// How often a dump is asked again when the kernel says that it changed meanwhile.
const DUMP_TRIES: u32 = 5;

/// The body of one netlink message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// Message type, e.g. `RTM_NEWADDR`.
    pub kind: u16,
    /// Fixed header and attributes.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A message of type `kind` from its header and attributes.
    pub fn new(kind: u16, content: &impl Emitable) -> Self {
        let mut bytes = vec![0; content.buffer_len()];
        content.emit(&mut bytes);
        Body { kind, bytes }
    }

    /// The attributes after a fixed header of `header` bytes, broken ones left out.
    pub fn attributes(&self, header: usize) -> impl Iterator<Item = (u16, Vec<u8>)> + '_ {
        let rest = self.bytes.get(header..).unwrap_or_default();
        NlasIterator::new(rest).map_while(Result::ok).map(|nla| (nla.kind(), nla.value().to_vec()))
    }
}

impl NetlinkSerializable for Body {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.bytes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.bytes.len()].copy_from_slice(&self.bytes);
    }
}

impl NetlinkDeserializable for Body {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Body { kind: header.message_type, bytes: payload.to_vec() })
    }
}

/// Every message in one datagram of the kernel.
pub(crate) fn messages(mut datagram: &[u8]) -> Result<Vec<NetlinkMessage<Body>>, DecodeError> {
    let mut found = Vec::new();
    while datagram.len() >= HEADER {
        let message = NetlinkMessage::<Body>::deserialize(datagram)?;
        let length = (message.header.length as usize).next_multiple_of(4).min(datagram.len());
        datagram = &datagram[length..];
        found.push(message);
    }
    Ok(found)
}

/// A netlink socket for requests.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// A socket of a protocol, e.g. `NETLINK_ROUTE`.
    pub fn open(protocol: isize) -> Result<Self, NetError> {
        let failed = |e| NetError::system("open a netlink socket", e);
        let mut socket = Socket::new(protocol).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket2::SockRef::from(&socket).set_read_timeout(Some(ANSWER_WAIT)).map_err(failed)?;
        // Both only make error texts better; kernels before 4.12 do without.
        let _ = socket.set_cap_ack(true);
        let _ = socket.set_ext_ack(true);
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Sends a request that changes something and waits for the kernel's word.
    pub fn change(&mut self, what: &str, body: Body, flags: u16) -> Result<(), NetError> {
        self.exchange(what, body, flags | NLM_F_ACK).map(|_| ())
    }

    /// Asks for one object; the kernel's answer, which may be empty.
    pub fn get(&mut self, what: &str, body: Body) -> Result<Option<Body>, NetError> {
        Ok(self.exchange(what, body, NLM_F_ACK)?.found.pop())
    }

    /// Asks for everything of a kind; repeats when it changed while it was read.
    pub fn dump(&mut self, what: &str, body: &Body) -> Result<Vec<Body>, NetError> {
        let mut answer = self.exchange(what, body.clone(), NLM_F_DUMP)?;
        for _ in 1..DUMP_TRIES {
            if !answer.interrupted {
                break;
            }
            answer = self.exchange(what, body.clone(), NLM_F_DUMP)?;
        }
        Ok(answer.found)
    }

    /// Sends messages that the kernel carries out all or none, as one datagram; one of them asks for the
    /// acknowledgement (`NLM_F_ACK`) that ends the wait.
    pub fn transact(&mut self, what: &str, messages: Vec<(Body, u16)>) -> Result<(), Refused> {
        let (first, count) = (self.sequence.wrapping_add(1), messages.len());
        let mut bytes = Vec::new();
        for (body, flags) in messages {
            self.sequence = self.sequence.wrapping_add(1);
            let request = request(body, flags, self.sequence);
            let at = bytes.len();
            bytes.resize(at + request.buffer_len().next_multiple_of(4), 0);
            request.serialize(&mut bytes[at..]);
        }
        let whole = |error| Refused { at: 0, offset: None, error };
        let failed = |e: io::Error| whole(NetError::system(what, e));
        if bytes.len() > USUAL_BUFFER / 2 {
            let size = 2 * bytes.len();
            setsockopt(&self.socket, sockopt::SndBufForce, &size).map_err(|e| failed(e.into()))?;
        }
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).map_err(failed)?;
        loop {
            let datagram = self.receive().map_err(failed)?;
            for message in messages_of(what, &datagram).map_err(whole)? {
                let at = message.header.sequence_number.wrapping_sub(first) as usize;
                match message.payload {
                    NetlinkPayload::Error(e) if at < count && e.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(e) if at < count => {
                        return Err(Refused { at, offset: offset(&e), error: refused(what, &e) });
                    }
                    _ => {}
                }
            }
        }
    }

    fn exchange(&mut self, what: &str, body: Body, flags: u16) -> Result<Answer, NetError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(body, flags, self.sequence);
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        let kernel = SocketAddr::new(0, 0);
        self.socket.send_to(&bytes, &kernel, 0).map_err(|e| NetError::system(what, e))?;
        let mut answer = Answer { found: Vec::new(), interrupted: false };
        loop {
            let datagram = self.receive().map_err(|e| NetError::system(what, e))?;
            for message in messages_of(what, &datagram)? {
                if message.header.sequence_number == self.sequence && answer.take(what, message)? {
                    return Ok(answer);
                }
            }
        }
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.socket.recv_from_full() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer of the kernel"));
                }
                other => return other.map(|(bytes, _)| bytes),
            }
        }
    }
}

fn request(body: Body, flags: u16, sequence: u32) -> NetlinkMessage<Body> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(body));
    request.finalize();
    request
}

fn messages_of(what: &str, datagram: &[u8]) -> Result<Vec<NetlinkMessage<Body>>, NetError> {
    let malformed = |e: DecodeError| NetError::Malformed { what: what.to_owned(), detail: e.to_string() };
    messages(datagram).map_err(malformed)
}

/// The refusal of a transaction: nothing of it was done.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Place of the refused message; 0 also stands for the whole.
    pub at: usize,
    /// Where in that message, with its header, the refused attribute begins.
    pub offset: Option<usize>,
    /// Why.
    pub error: NetError,
}

/// What came for one request.
struct Answer {
    found: Vec<Body>,
    interrupted: bool,
}

impl Answer {
    /// Takes one message in; true at the end of the answer.
    fn take(&mut self, what: &str, message: NetlinkMessage<Body>) -> Result<bool, NetError> {
        self.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(body) => {
                self.found.push(body);
                Ok(false)
            }
            NetlinkPayload::Error(e) if e.code.is_none() => Ok(true),
            NetlinkPayload::Error(e) => Err(refused(what, &e)),
            // A dump that fails half way says so in its last message.
            NetlinkPayload::Done(done) if done.code < 0 => {
                Err(NetError::system(what, io::Error::from_raw_os_error(-done.code)))
            }
            NetlinkPayload::Done(_) => Ok(true),
            _ => Ok(false),
        }
    }
}

/// Where the refused attribute is (`NLMSGERR_ATTR_OFFS`), if the kernel says it.
fn offset(error: &ErrorMessage) -> Option<usize> {
    const NLMSGERR_ATTR_OFFS: u16 = 2;
    let echoed = Body { kind: 0, bytes: error.header.clone() };
    let (_, bytes) = echoed.attributes(HEADER).find(|(k, _)| *k == NLMSGERR_ATTR_OFFS)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?) as usize)
}

/// The kernel's refusal, with its own explanation (`NLMSGERR_ATTR_MSG`) where it gives one.
fn refused(what: &str, error: &ErrorMessage) -> NetError {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    let echoed = Body { kind: 0, bytes: error.header.clone() };
    let said = echoed.attributes(HEADER).find(|(k, _)| *k == NLMSGERR_ATTR_MSG);
    match (NetError::system(what, error.to_io()), said) {
        (NetError::Kernel { what, text, source }, Some((_, bytes))) => {
            let said = String::from_utf8_lossy(&bytes);
            NetError::Kernel { what, text: format!("{text}: {}", said.trim_end_matches('\0')), source }
        }
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes).unwrap_or_default() {
                if let NetlinkPayload::InnerMessage(body) = message.payload {
                    let _ = body.attributes(8).count();
                }
            }
        }
    }
}
