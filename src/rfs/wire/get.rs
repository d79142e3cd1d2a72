//! Bytes to values. Everything here may come from a stranger.

use super::{
    DATA_MOST, FRAME_MOST, Frame, Hello, MAGIC, Purpose, TEXT_MOST, VERSION, Welcome, WireError, kind,
};
use crate::fsm::sync::{Backup, Offer};
use crate::rfs::op::{Attrs, FileId, Name, Op, Owner, Time};
use bytes::Bytes;

/// Longest target of a symbolic link.
const TARGET_MOST: usize = 4095;
/// Longest value of an extended attribute.
const VALUE_MOST: usize = 64 << 10;
/// Flags of `renameat2` that mean something here.
const RENAME_FLAGS: u32 = libc::RENAME_NOREPLACE | libc::RENAME_EXCHANGE | libc::RENAME_WHITEOUT;

/// A frame without its length. The data of a write shares the memory of `bytes`.
///
/// # Errors
/// It is not a frame of this version, in every byte.
pub fn decode(bytes: Bytes) -> Result<Frame, WireError> {
    let length = bytes.len();
    if length > FRAME_MOST {
        return Err(WireError::Length(length));
    }
    let &[kind, flags, ..] = bytes.as_ref() else { return Err(WireError::Length(length)) };
    let mut fields = Fields { kind, rest: bytes.slice(2..) };
    let frame = fields.frame(flags)?;
    let left = fields.rest.len();
    if left == 0 { Ok(frame) } else { Err(WireError::Long { kind, left }) }
}

/// What is left of a frame.
struct Fields {
    kind: u8,
    rest: Bytes,
}

impl Fields {
    fn frame(&mut self, flags: u8) -> Result<Frame, WireError> {
        if self.kind >= kind::BIND {
            let seq = self.u64()?;
            return Ok(Frame::Op { seq, op: self.op(flags)? });
        }
        // A hello of another version may have other flags, and must be told apart all the same.
        if self.kind == kind::HELLO {
            return self.hello(flags);
        }
        if self.kind == kind::REFUSE {
            self.flags(flags, kind::LASTING)?;
            return Ok(Frame::Refuse { lasting: flags & kind::LASTING != 0, text: self.text()? });
        }
        self.flags(flags, 0)?;
        Ok(match self.kind {
            kind::WELCOME => {
                self.version()?;
                let (session, generation, node) = (self.u64()?, self.u64()?, self.u32()?);
                Frame::Welcome(Welcome { session, generation, node, offer: self.offer()? })
            }
            kind::ACK => Frame::Ack { seq: self.u64()? },
            kind::FAILED => Frame::Failed { seq: self.u64()?, errno: self.u32()? as i32, text: self.text()? },
            kind::PING => Frame::Ping(self.u64()?),
            kind::PONG => Frame::Pong(self.u64()?),
            kind::FREEZE => Frame::Freeze,
            kind::FROZEN => Frame::Frozen,
            kind::STALE => Frame::Stale,
            unknown => return Err(WireError::Kind(unknown)),
        })
    }

    fn hello(&mut self, flags: u8) -> Result<Frame, WireError> {
        self.version()?;
        self.flags(flags, kind::RESYNC | kind::VERIFY)?;
        let directory = u16::from_le_bytes(self.array()?);
        let session = self.u64()?;
        let generation = self.u64()?;
        let node = self.u32()?;
        let config = self.array()?;
        let length = usize::from(self.u8()?);
        let module = self.take(length)?;
        let module = String::from_utf8(module.into()).map_err(|_| self.wrong("name of the module"))?;
        let purpose = match flags {
            0 => Purpose::Stream,
            kind::RESYNC => Purpose::Resync,
            kind::VERIFY => Purpose::Verify,
            _ => return Err(self.wrong("purpose")),
        };
        Ok(Frame::Hello(Hello { module, directory, purpose, session, generation, node, config }))
    }

    fn offer(&mut self) -> Result<Offer, WireError> {
        let (offer, length) = (self.u8()?, usize::from(self.u8()?));
        let uid =
            String::from_utf8(self.take(length)?.into()).map_err(|_| self.wrong("name of the backup"))?;
        match (offer, uid.is_empty()) {
            (0, true) => Ok(Offer::Modified),
            (1, true) => Ok(Offer::Full),
            (2 | 3, false) => Ok(Offer::Backup(Backup { uid, detect: offer == 2 })),
            _ => Err(self.wrong("offer")),
        }
    }

    fn version(&mut self) -> Result<(), WireError> {
        if self.array()? != MAGIC {
            return Err(self.wrong("magic"));
        }
        let theirs = u16::from_le_bytes(self.array()?);
        if theirs == VERSION { Ok(()) } else { Err(WireError::Version { theirs }) }
    }

    fn op(&mut self, flags: u8) -> Result<Op, WireError> {
        self.flags(flags, flags_of(self.kind))?;
        Ok(match self.kind {
            kind::BIND => Op::Bind { id: self.id()?, parent: self.id()?, name: self.name()? },
            kind::CREATE => Op::Create {
                id: self.id()?,
                parent: self.id()?,
                name: self.name()?,
                owner: self.owner()?,
                rdev: self.u64()?,
            },
            kind::SYMLINK => Op::Symlink {
                id: self.id()?,
                parent: self.id()?,
                name: self.name()?,
                owner: self.owner()?,
                target: self.target()?,
            },
            kind::TMPFILE => Op::Tmpfile { id: self.id()?, parent: self.id()?, owner: self.owner()? },
            kind::LINK => Op::Link { id: self.id()?, parent: self.id()?, name: self.name()? },
            kind::UNLINK => {
                Op::Unlink { parent: self.id()?, name: self.name()?, dir: flags & kind::DIR != 0 }
            }
            kind::RENAME => Op::Rename {
                parent: self.id()?,
                name: self.name()?,
                to_parent: self.id()?,
                to_name: self.name()?,
                flags: self.rename_flags()?,
            },
            kind::WRITE => self.write(flags)?,
            kind::TRUNCATE => Op::Truncate { id: self.id()?, size: self.position("size")? },
            kind::ALLOCATE => Op::Allocate {
                id: self.id()?,
                mode: self.u32()?,
                offset: self.position("offset")?,
                len: self.position("length")?,
            },
            kind::SET_ATTRS => Op::SetAttrs { id: self.id()?, attrs: self.attrs(flags)? },
            kind::SET_XATTR => {
                Op::SetXattr { id: self.id()?, flags: self.u32()?, name: self.xattr()?, value: self.value()? }
            }
            kind::REMOVE_XATTR => Op::RemoveXattr { id: self.id()?, name: self.xattr()? },
            kind::FSYNC => Op::Fsync { id: self.id()? },
            kind::FORGET => self.forget()?,
            unknown => return Err(WireError::Kind(unknown)),
        })
    }

    fn write(&mut self, flags: u8) -> Result<Op, WireError> {
        let id = self.id()?;
        let offset = self.position("offset")?;
        let data = std::mem::take(&mut self.rest);
        let end = offset.checked_add(data.len() as u64).filter(|end| i64::try_from(*end).is_ok());
        if data.len() > DATA_MOST || end.is_none() {
            return Err(self.wrong("length of the data"));
        }
        Ok(Op::Write { id, offset, data, sync: flags & kind::SYNC != 0 })
    }

    fn forget(&mut self) -> Result<Op, WireError> {
        let mut ids = Vec::with_capacity(self.rest.len() / 8);
        while !self.rest.is_empty() {
            ids.push(self.id()?);
        }
        Ok(Op::Forget(ids))
    }

    fn attrs(&mut self, there: u8) -> Result<Attrs, WireError> {
        let mut attrs = Attrs::default();
        for (bit, field) in
            [(kind::MODE, &mut attrs.mode), (kind::UID, &mut attrs.uid), (kind::GID, &mut attrs.gid)]
        {
            if there & bit != 0 {
                *field = Some(self.u32()?);
            }
        }
        for (bit, field) in [(kind::ATIME, &mut attrs.atime), (kind::MTIME, &mut attrs.mtime)] {
            if there & bit != 0 {
                *field = Some(self.time()?);
            }
        }
        Ok(attrs)
    }

    fn time(&mut self) -> Result<Time, WireError> {
        let secs = i64::from_le_bytes(self.array()?);
        let nanos = self.u32()?;
        if nanos < 1_000_000_000 { Ok(Time { secs, nanos }) } else { Err(self.wrong("time")) }
    }

    fn owner(&mut self) -> Result<Owner, WireError> {
        Ok(Owner { mode: self.u32()?, uid: self.u32()?, gid: self.u32()? })
    }

    fn rename_flags(&mut self) -> Result<u32, WireError> {
        let flags = self.u32()?;
        if flags & !RENAME_FLAGS == 0 { Ok(flags) } else { Err(self.wrong("kind of rename")) }
    }

    fn name(&mut self) -> Result<Name, WireError> {
        let length = usize::from(self.u8()?);
        let name = self.take(length)?;
        Name::new(&name).ok_or_else(|| self.wrong("name"))
    }

    fn target(&mut self) -> Result<Vec<u8>, WireError> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let target = self.take(length)?;
        let fits = (1..=TARGET_MOST).contains(&length) && !target.contains(&0);
        if fits { Ok(target.into()) } else { Err(self.wrong("target of the link")) }
    }

    fn xattr(&mut self) -> Result<Vec<u8>, WireError> {
        let length = usize::from(self.u8()?);
        let name = self.take(length)?;
        if name.is_empty() || name.contains(&0) {
            return Err(self.wrong("name of the attribute"));
        }
        Ok(name.into())
    }

    fn value(&mut self) -> Result<Vec<u8>, WireError> {
        let value = std::mem::take(&mut self.rest);
        if value.len() <= VALUE_MOST { Ok(value.into()) } else { Err(self.wrong("value of the attribute")) }
    }

    fn text(&mut self) -> Result<String, WireError> {
        let text = std::mem::take(&mut self.rest);
        if text.len() > TEXT_MOST {
            return Err(self.wrong("length of the text"));
        }
        String::from_utf8(text.into()).map_err(|_| self.wrong("text"))
    }

    /// A place in a file: at most what the kernel's signed numbers hold.
    fn position(&mut self, field: &'static str) -> Result<u64, WireError> {
        let position = self.u64()?;
        if i64::try_from(position).is_ok() { Ok(position) } else { Err(self.wrong(field)) }
    }

    fn id(&mut self) -> Result<FileId, WireError> {
        self.u64().map(FileId)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let array = *self.rest.first_chunk().ok_or(WireError::Short { kind: self.kind })?;
        drop(self.rest.split_to(N));
        Ok(array)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, WireError> {
        if self.rest.len() < length {
            return Err(WireError::Short { kind: self.kind });
        }
        Ok(self.rest.split_to(length))
    }

    fn flags(&self, flags: u8, known: u8) -> Result<(), WireError> {
        if flags & !known == 0 { Ok(()) } else { Err(self.wrong("set of flags")) }
    }

    fn wrong(&self, field: &'static str) -> WireError {
        WireError::Field { kind: self.kind, field }
    }
}

/// Flags that an operation may have.
fn flags_of(kind: u8) -> u8 {
    match kind {
        kind::WRITE => kind::SYNC,
        kind::UNLINK => kind::DIR,
        kind::SET_ATTRS => kind::MODE | kind::UID | kind::GID | kind::ATIME | kind::MTIME,
        _ => 0,
    }
}
