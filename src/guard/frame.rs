//! Messages between safeadmin and safeguard, little-endian by hand: the guard shall need nothing but
//! the standard library and system calls. One message is one packet of a SOCK_SEQPACKET socket.

use super::cgroup::AppGroup;
use crate::ids::ModuleName;
use crate::told::Tell;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Version of this protocol; the guard answers only its own.
pub const VERSION: u16 = 2;
/// Longest packet, in bytes.
pub const MAX_FRAME: usize = 4096;
/// Most virtual addresses of one module.
pub const MAX_VIPS: usize = 64;
/// Longest name of a descriptor that is kept, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest text in a packet, in bytes: the path of a control group or a mark.
const MAX_TEXT: usize = 1024;

/// A packet that cannot be sent or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The packet ends too early.
    #[error("the message is cut short")]
    Short,
    /// The packet goes on after its end.
    #[error("the message has bytes after its end")]
    Long,
    /// A value that this version does not know.
    #[error("the message has an unknown {0}")]
    Unknown(&'static str),
    /// Something exceeds its limit.
    #[error("the message has too many or too long {0}")]
    TooMuch(&'static str),
}

/// A virtual address to be removed by a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vip {
    /// Index of the interface.
    pub index: u32,
    /// The address.
    pub addr: IpAddr,
    /// Length of its prefix, in bits.
    pub prefix: u8,
}

/// What a fence of a module removes and kills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Virtual addresses, at most [`MAX_VIPS`].
    pub vips: Vec<Vip>,
    /// The application's processes.
    pub group: Option<AppGroup>,
}

/// What safeadmin asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// First message of a connection.
    Hello {
        /// Protocol version of safeadmin.
        version: u16,
    },
    /// Guard a module from now on; also renews. Arming again replaces timeout and target; a restarted
    /// safeadmin says by it that it has re-adopted the module and decides for it again.
    Arm {
        /// The module.
        module: ModuleName,
        /// Heartbeat timeout, ms.
        timeout_ms: u32,
        /// Send time of the newest heartbeat echoed by the peer, ns of CLOCK_BOOTTIME.
        echoed_at: u64,
        /// What a fence removes and kills.
        target: Target,
    },
    /// safeadmin lives.
    Renew {
        /// The module.
        module: ModuleName,
        /// As in [`Ask::Arm`].
        echoed_at: u64,
    },
    /// No peer could take over any more.
    Disarm(ModuleName),
    /// How does it stand?
    Query(ModuleName),
    /// safeadmin has seen the fence and cleaned up.
    Acknowledge(ModuleName),
    /// About descriptors that shall outlive their process.
    Keep(ModuleName, Keep),
}

/// What a process asks about the descriptors of its module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Keep the descriptor that comes with this packet under this name; it replaces an older one.
    Give(String),
    /// Send a copy of this one. It stays.
    Take(String),
    /// Close those whose name begins with this.
    Drop(String),
    /// How many there are.
    Count,
}

/// One question with its number and the time it was sent (ns of CLOCK_BOOTTIME).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Returned in the answer.
    pub number: u32,
    /// A question sent after the deadline comes too late, whenever the guard reads it.
    pub sent_at: u64,
    /// The question.
    pub ask: Ask,
}

/// A fence that has fallen. Times in ns of CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// When.
    pub at: u64,
    /// When the last renewal was sent.
    pub renewed_at: u64,
    /// Send time of the newest heartbeat echoed by the peer.
    pub echoed_at: u64,
    /// Whether the addresses and the processes were seen gone.
    pub complete: bool,
}

/// How a module stands with the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Status {
    /// The guard watches it.
    pub armed: bool,
    /// It was fenced, and nobody has acknowledged it.
    pub fenced: Option<Fenced>,
}

/// What the guard answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Hello`].
    Welcome {
        /// Protocol version of the guard.
        version: u16,
        /// When this guard was started, ns of CLOCK_BOOTTIME.
        since: u64,
    },
    /// To everything about a module.
    Status(Status),
    /// To [`Ask::Keep`]: so many descriptors of the module are kept now.
    Kept(u32),
    /// To [`Keep::Take`]: the descriptor comes with this packet.
    Here,
    /// Not done.
    Refused(Refusal),
}

/// Why the guard does not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The message was not understood.
    #[error("the guard does not understand the message: restart safeguard after an upgrade")]
    Malformed,
    /// A timeout of 0.
    #[error("the guard needs a timeout above 0 ms")]
    Timeout,
    /// Too many modules are guarded.
    #[error("the guard watches as many modules as it can")]
    Full,
    /// So many descriptors are kept, or the name is not one.
    #[error("the guard keeps as many descriptors as it can")]
    Laden,
    /// There is no descriptor of this name.
    #[error("the guard does not have this descriptor")]
    Nothing,
}

impl Tell for Refusal {
    fn french(&self) -> String {
        match self {
            Refusal::Malformed => {
                "safeguard ne comprend pas le message : redémarrez-le après une mise à niveau"
            }
            Refusal::Timeout => "safeguard a besoin d'un délai supérieur à 0 ms",
            Refusal::Full => "safeguard surveille autant de modules qu'il peut",
            Refusal::Laden => "safeguard garde autant de descripteurs qu'il peut",
            Refusal::Nothing => "safeguard n'a pas ce descripteur",
        }
        .to_owned()
    }
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Number of the request.
    pub number: u32,
    /// The answer.
    pub answer: Answer,
}

impl Request {
    /// The packet; fails when a limit is exceeded.
    pub fn encode(&self) -> Result<Vec<u8>, BadFrame> {
        let mut out = Vec::with_capacity(256);
        out.extend(self.number.to_le_bytes());
        out.extend(self.sent_at.to_le_bytes());
        match &self.ask {
            Ask::Hello { version } => {
                out.push(0);
                out.extend(version.to_le_bytes());
            }
            Ask::Arm { module, timeout_ms, echoed_at, target } => {
                put_module(&mut out, 1, module)?;
                out.extend(timeout_ms.to_le_bytes());
                out.extend(echoed_at.to_le_bytes());
                put_target(&mut out, target)?;
            }
            Ask::Renew { module, echoed_at } => {
                put_module(&mut out, 2, module)?;
                out.extend(echoed_at.to_le_bytes());
            }
            Ask::Disarm(module) => put_module(&mut out, 3, module)?,
            Ask::Query(module) => put_module(&mut out, 4, module)?,
            Ask::Acknowledge(module) => put_module(&mut out, 5, module)?,
            Ask::Keep(module, keep) => {
                put_module(&mut out, 6, module)?;
                let (kind, name) = match keep {
                    Keep::Give(name) => (0, name.as_str()),
                    Keep::Take(name) => (1, name.as_str()),
                    Keep::Drop(name) => (2, name.as_str()),
                    Keep::Count => (3, ""),
                };
                out.push(kind);
                put_text(&mut out, name.as_bytes())?;
            }
        }
        Ok(out)
    }

    /// Reads a packet.
    pub fn decode(bytes: &[u8]) -> Result<Request, BadFrame> {
        let mut from = Reader(bytes);
        let (number, sent_at) = (u32::from_le_bytes(from.array()?), u64::from_le_bytes(from.array()?));
        let ask = match from.byte()? {
            0 => Ask::Hello { version: u16::from_le_bytes(from.array()?) },
            1 => Ask::Arm {
                module: from.module()?,
                timeout_ms: u32::from_le_bytes(from.array()?),
                echoed_at: u64::from_le_bytes(from.array()?),
                target: from.target()?,
            },
            2 => Ask::Renew { module: from.module()?, echoed_at: u64::from_le_bytes(from.array()?) },
            3 => Ask::Disarm(from.module()?),
            4 => Ask::Query(from.module()?),
            5 => Ask::Acknowledge(from.module()?),
            6 => Ask::Keep(from.module()?, from.keep()?),
            _ => return Err(BadFrame::Unknown("question")),
        };
        from.end(Request { number, sent_at, ask })
    }
}

impl Reply {
    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend(self.number.to_le_bytes());
        match self.answer {
            Answer::Welcome { version, since } => {
                out.push(0);
                out.extend(version.to_le_bytes());
                out.extend(since.to_le_bytes());
            }
            Answer::Status(Status { armed, fenced }) => {
                out.extend([1, u8::from(armed), u8::from(fenced.is_some())]);
                if let Some(fenced) = fenced {
                    for time in [fenced.at, fenced.renewed_at, fenced.echoed_at] {
                        out.extend(time.to_le_bytes());
                    }
                    out.push(u8::from(fenced.complete));
                }
            }
            Answer::Refused(Refusal::Malformed) => out.extend([2, 0]),
            Answer::Refused(Refusal::Timeout) => out.extend([2, 1]),
            Answer::Refused(Refusal::Full) => out.extend([2, 2]),
            Answer::Refused(Refusal::Laden) => out.extend([2, 3]),
            Answer::Refused(Refusal::Nothing) => out.extend([2, 4]),
            Answer::Kept(count) => {
                out.push(3);
                out.extend(count.to_le_bytes());
            }
            Answer::Here => out.push(4),
        }
        out
    }

    /// Reads a packet.
    pub fn decode(bytes: &[u8]) -> Result<Reply, BadFrame> {
        let mut from = Reader(bytes);
        let number = u32::from_le_bytes(from.array()?);
        let answer = match from.byte()? {
            0 => Answer::Welcome {
                version: u16::from_le_bytes(from.array()?),
                since: u64::from_le_bytes(from.array()?),
            },
            1 => {
                let armed = from.flag()?;
                let fenced = if from.flag()? { Some(from.fenced()?) } else { None };
                Answer::Status(Status { armed, fenced })
            }
            2 => Answer::Refused(match from.byte()? {
                0 => Refusal::Malformed,
                1 => Refusal::Timeout,
                2 => Refusal::Full,
                3 => Refusal::Laden,
                4 => Refusal::Nothing,
                _ => return Err(BadFrame::Unknown("refusal")),
            }),
            3 => Answer::Kept(u32::from_le_bytes(from.array()?)),
            4 => Answer::Here,
            _ => return Err(BadFrame::Unknown("answer")),
        };
        from.end(Reply { number, answer })
    }
}

fn put_module(out: &mut Vec<u8>, kind: u8, module: &ModuleName) -> Result<(), BadFrame> {
    out.push(kind);
    put_text(out, module.as_str().as_bytes())
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) -> Result<(), BadFrame> {
    let length = u16::try_from(text.len()).ok().filter(|n| usize::from(*n) <= MAX_TEXT);
    out.extend(length.ok_or(BadFrame::TooMuch("characters in a name"))?.to_le_bytes());
    out.extend(text);
    Ok(())
}

fn put_target(out: &mut Vec<u8>, target: &Target) -> Result<(), BadFrame> {
    let count = u8::try_from(target.vips.len()).ok().filter(|n| usize::from(*n) <= MAX_VIPS);
    out.push(count.ok_or(BadFrame::TooMuch("virtual addresses"))?);
    for vip in &target.vips {
        out.extend(vip.index.to_le_bytes());
        match vip.addr {
            IpAddr::V4(addr) => {
                out.push(4);
                out.extend(addr.octets());
            }
            IpAddr::V6(addr) => {
                out.push(6);
                out.extend(addr.octets());
            }
        }
        out.push(vip.prefix);
    }
    match &target.group {
        None => out.push(0),
        Some(AppGroup::Cgroup(path)) => {
            out.push(1);
            put_text(out, path.as_os_str().as_bytes())?;
        }
        Some(AppGroup::Marked(mark)) => {
            out.push(2);
            put_text(out, mark.as_bytes())?;
        }
    }
    Ok(())
}

/// What is left of a packet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadFrame> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(BadFrame::Short)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadFrame> {
        self.take(N)?.try_into().map_err(|_| BadFrame::Short)
    }

    fn byte(&mut self) -> Result<u8, BadFrame> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, BadFrame> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BadFrame::Unknown("flag")),
        }
    }

    fn text(&mut self) -> Result<&'a [u8], BadFrame> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > MAX_TEXT { Err(BadFrame::TooMuch("characters in a name")) } else { self.take(length) }
    }

    fn utf8(&mut self) -> Result<&'a str, BadFrame> {
        std::str::from_utf8(self.text()?).map_err(|_| BadFrame::Unknown("character"))
    }

    fn module(&mut self) -> Result<ModuleName, BadFrame> {
        self.utf8()?.parse().map_err(|_| BadFrame::Unknown("module name"))
    }

    fn keep(&mut self) -> Result<Keep, BadFrame> {
        let kind = self.byte()?;
        let name = self.utf8()?.to_owned();
        match kind {
            0 => Ok(Keep::Give(name)),
            1 => Ok(Keep::Take(name)),
            2 => Ok(Keep::Drop(name)),
            3 => Ok(Keep::Count),
            _ => Err(BadFrame::Unknown("wish")),
        }
    }

    fn target(&mut self) -> Result<Target, BadFrame> {
        let count = usize::from(self.byte()?);
        if count > MAX_VIPS {
            return Err(BadFrame::TooMuch("virtual addresses"));
        }
        let vips = (0..count).map(|_| self.vip()).collect::<Result<_, _>>()?;
        let group = match self.byte()? {
            0 => None,
            1 => Some(AppGroup::Cgroup(Path::new(OsStr::from_bytes(self.text()?)).to_owned())),
            2 => Some(AppGroup::Marked(self.utf8()?.to_owned())),
            _ => return Err(BadFrame::Unknown("kind of group")),
        };
        Ok(Target { vips, group })
    }

    fn vip(&mut self) -> Result<Vip, BadFrame> {
        let index = u32::from_le_bytes(self.array()?);
        let addr = match self.byte()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(BadFrame::Unknown("address family")),
        };
        Ok(Vip { index, addr, prefix: self.byte()? })
    }

    fn fenced(&mut self) -> Result<Fenced, BadFrame> {
        Ok(Fenced {
            at: u64::from_le_bytes(self.array()?),
            renewed_at: u64::from_le_bytes(self.array()?),
            echoed_at: u64::from_le_bytes(self.array()?),
            complete: self.flag()?,
        })
    }

    fn end<T>(self, message: T) -> Result<T, BadFrame> {
        if self.0.is_empty() { Ok(message) } else { Err(BadFrame::Long) }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
