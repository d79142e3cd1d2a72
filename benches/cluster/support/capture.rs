//! Everything that leaves the switch, with the kernel's timestamps: an AF_PACKET socket in the switch's
//! namespace. A frame counts when the switch sends it out of a port, so a datagram that a dead node has sent
//! but that was never delivered does not.

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockType, recvmsg, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use safekit::sandbox;
use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// `PACKET_OUTGOING`: seen on its way out of an interface.
const OUTGOING: u8 = libc::PACKET_OUTGOING;
const VRRP: u8 = 112;

/// What was in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An announcement of an address by its holder.
    Announcement(Ipv4Addr),
    /// A UDP datagram.
    Datagram {
        /// From here.
        from: Ipv4Addr,
        /// To there.
        to: Ipv4Addr,
        /// To this port.
        port: u16,
    },
    /// Data of a TCP connection.
    Data {
        /// From here.
        from: Ipv4Addr,
        /// The first byte.
        first: u8,
    },
    /// An advertisement of VRRP.
    Advertisement(Ipv4Addr),
}

/// One frame.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When, since 1970.
    pub at: Duration,
    /// Number of the machine to which it was sent.
    pub to_machine: u8,
    /// What it was.
    pub what: What,
}

/// Captures until it is dropped.
pub struct Capture {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Begins.
    pub fn begin(switch: &sandbox::Node) -> Capture {
        let socket = switch.in_network(open).expect("enter the switch").expect("open a packet socket");
        let (seen, stop) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(AtomicBool::new(false)));
        let (to, ended, switch) = (seen.clone(), stop.clone(), switch.clone());
        let thread = std::thread::spawn(move || {
            let mut ports = Ports { switch, known: BTreeMap::new() };
            let mut buffer = [0; 2048];
            while !ended.load(Ordering::Relaxed) {
                if let Some(frame) = receive(&socket, &mut buffer, &mut ports) {
                    to.lock().expect("no reader panics").push(frame);
                }
            }
        });
        Capture { seen, stop, thread: Some(thread) }
    }

    /// The frames so far, of which those since `from`.
    pub fn since(&self, from: Duration) -> Vec<Seen> {
        let seen = self.seen.lock().expect("the capturing thread has not panicked");
        seen.iter().filter(|frame| frame.at >= from).copied().collect()
    }

    /// Forgets what was seen.
    pub fn clear(&self) {
        self.seen.lock().expect("the capturing thread has not panicked").clear();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the capture broke off");
    }
}

/// The clock of [`Seen::at`].
pub fn now() -> Duration {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later than 1970")
}

fn open() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        Some(nix::sys::socket::SockProtocol::EthAll),
    )?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20))?;
    // The end of the capture is noticed within this time.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
    Ok(socket)
}

/// Which machine is at which interface of the switch; machines get new interfaces when they boot.
struct Ports {
    switch: sandbox::Node,
    known: BTreeMap<usize, Option<u8>>,
}

impl Ports {
    /// The number of the machine at a port (`p<machine>l<lan>`); none for the switch's own interfaces.
    fn machine(&mut self, interface: usize) -> Option<u8> {
        if let Some(machine) = self.known.get(&interface) {
            return *machine;
        }
        let name = self.switch.in_network(|| nix::net::if_::if_indextoname(interface as u32)).ok()?.ok()?;
        let machine = name.to_str().ok()?.strip_prefix('p').and_then(|rest| rest.split_once('l'));
        let machine = machine.and_then(|(machine, _)| machine.parse().ok());
        self.known.insert(interface, machine);
        machine
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8], ports: &mut Ports) -> Option<Seen> {
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let (length, link, at) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let message =
            recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())
                .ok()?;
        let at = message.cmsgs().ok()?.find_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        (message.bytes, message.address?, at?)
    };
    if link.pkttype() != OUTGOING {
        return None;
    }
    let what = parse(&buffer[..length])?;
    let to_machine = ports.machine(link.ifindex())?;
    Some(Seen { at, to_machine, what })
}

fn parse(frame: &[u8]) -> Option<What> {
    let packet = frame.get(14..)?;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0806 => {
            let (sender, target) = (address(14)?, address(24)?);
            (sender == target).then_some(What::Announcement(sender))
        }
        0x0800 => {
            let (from, to) = (address(12)?, address(16)?);
            let header = usize::from(packet[0] & 15) * 4;
            match packet[9] {
                17 => {
                    let port = packet.get(header + 2..header + 4)?;
                    Some(What::Datagram { from, to, port: u16::from_be_bytes([port[0], port[1]]) })
                }
                VRRP => Some(What::Advertisement(from)),
                6 => {
                    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                    let data = header + usize::from(packet.get(header + 12)? >> 4) * 4;
                    let first = packet.get(..length)?.get(data)?;
                    Some(What::Data { from, first: *first })
                }
                _ => None,
            }
        }
        _ => None,
    }
}
