//! Values to bytes.

use super::{DATA_MOST, FRAME_MOST, Frame, Hello, LENGTH, MAGIC, TEXT_MOST, VERSION, WireError, kind};
use super::{Purpose, Welcome};
use crate::fsm::sync::Offer;
use crate::rfs::op::{Attrs, FileId, Name, Op, Owner, Time};
use bytes::Bytes;

/// Appends the frame to `out`, but for the data of a write: that is returned, and is to follow at once.
///
/// # Errors
/// A field is too long; `out` is as it was.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) -> Result<Bytes, WireError> {
    if let Frame::Op { seq, op } = frame {
        return encode_op(*seq, op, out);
    }
    framed(out, |out| match frame {
        Frame::Hello(hello) => put_hello(out, hello),
        Frame::Welcome(welcome) => put_welcome(out, welcome),
        Frame::Refuse { lasting, text } => {
            begin(out, kind::REFUSE, if *lasting { kind::LASTING } else { 0 });
            put_text(out, text);
            Ok(())
        }
        Frame::Failed { seq, errno, text } => {
            begin(out, kind::FAILED, 0);
            put_u64(out, *seq);
            out.extend_from_slice(&errno.to_le_bytes());
            put_text(out, text);
            Ok(())
        }
        Frame::Ack { seq } => number(out, kind::ACK, *seq),
        Frame::Ping(n) => number(out, kind::PING, *n),
        Frame::Pong(n) => number(out, kind::PONG, *n),
        Frame::Freeze => bare(out, kind::FREEZE),
        Frame::Frozen => bare(out, kind::FROZEN),
        Frame::Stale => bare(out, kind::STALE),
        // Taken above; it must not be cloned, its data is large.
        Frame::Op { .. } => Ok(()),
    })?;
    Ok(Bytes::new())
}

/// As [`encode`], for an operation that is not in a frame.
///
/// # Errors
/// A field is too long; `out` is as it was.
pub fn encode_op(seq: u64, op: &Op, out: &mut Vec<u8>) -> Result<Bytes, WireError> {
    let data = match op {
        Op::Write { data, .. } if data.len() > DATA_MOST => {
            return Err(WireError::TooLong("data of a write"));
        }
        Op::Write { data, .. } => data.clone(),
        _ => Bytes::new(),
    };
    let start = out.len();
    framed(out, |out| put_op(out, seq, op))?;
    let length = out.len() - start - LENGTH + data.len();
    // What passed `framed` and the bound of the data fits into 32 bits.
    out[start..start + LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(data)
}

/// Room for the length, what `put` appends, and the length in its place.
fn framed(
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    let length = put(out).and_then(|()| {
        let length = out.len() - start - LENGTH;
        if length > FRAME_MOST { Err(WireError::TooLong("operation")) } else { Ok(length as u32) }
    });
    match length {
        Ok(length) => out[start..start + LENGTH].copy_from_slice(&length.to_le_bytes()),
        Err(_) => out.truncate(start),
    }
    length.map(drop)
}

fn begin(out: &mut Vec<u8>, kind: u8, flags: u8) {
    out.extend_from_slice(&[kind, flags]);
}

fn bare(out: &mut Vec<u8>, kind: u8) -> Result<(), WireError> {
    begin(out, kind, 0);
    Ok(())
}

fn number(out: &mut Vec<u8>, kind: u8, number: u64) -> Result<(), WireError> {
    begin(out, kind, 0);
    put_u64(out, number);
    Ok(())
}

fn put_hello(out: &mut Vec<u8>, hello: &Hello) -> Result<(), WireError> {
    let module = u8::try_from(hello.module.len()).map_err(|_| WireError::TooLong("name of the module"))?;
    let flags = match hello.purpose {
        Purpose::Stream => 0,
        Purpose::Resync => kind::RESYNC,
        Purpose::Verify => kind::VERIFY,
    };
    begin(out, kind::HELLO, flags);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&hello.directory.to_le_bytes());
    put_u64(out, hello.session);
    put_u64(out, hello.generation);
    put_u32(out, hello.node);
    out.extend_from_slice(&hello.config);
    out.push(module);
    out.extend_from_slice(hello.module.as_bytes());
    Ok(())
}

fn put_welcome(out: &mut Vec<u8>, welcome: &Welcome) -> Result<(), WireError> {
    let (offer, uid) = match &welcome.offer {
        Offer::Modified => (0, ""),
        Offer::Full => (1, ""),
        Offer::Backup(b) => (if b.detect { 2 } else { 3 }, b.uid.as_str()),
    };
    let length = u8::try_from(uid.len()).map_err(|_| WireError::TooLong("name of the backup"))?;
    begin(out, kind::WELCOME, 0);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    put_u64(out, welcome.session);
    put_u64(out, welcome.generation);
    put_u32(out, welcome.node);
    out.extend([offer, length]);
    out.extend_from_slice(uid.as_bytes());
    Ok(())
}

fn put_op(out: &mut Vec<u8>, seq: u64, op: &Op) -> Result<(), WireError> {
    let (kind, flags) = kind_of(op);
    begin(out, kind, flags);
    put_u64(out, seq);
    match op {
        Op::Bind { id, parent, name } | Op::Link { id, parent, name } => put_entry(out, *id, *parent, name),
        Op::Create { id, parent, name, owner, rdev } => {
            put_entry(out, *id, *parent, name);
            put_owner(out, owner);
            put_u64(out, *rdev);
        }
        Op::Symlink { id, parent, name, target, owner } => {
            put_entry(out, *id, *parent, name);
            put_owner(out, owner);
            let length = u16::try_from(target.len()).map_err(|_| WireError::TooLong("target of a link"))?;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(target);
        }
        Op::Tmpfile { id, parent, owner } => {
            put_id(out, *id);
            put_id(out, *parent);
            put_owner(out, owner);
        }
        Op::Unlink { parent, name, .. } => {
            put_id(out, *parent);
            put_name(out, name);
        }
        Op::Rename { parent, name, to_parent, to_name, flags } => {
            put_id(out, *parent);
            put_name(out, name);
            put_id(out, *to_parent);
            put_name(out, to_name);
            put_u32(out, *flags);
        }
        Op::Write { id, offset, .. } => {
            put_id(out, *id);
            put_u64(out, *offset);
        }
        Op::Truncate { id, size } => {
            put_id(out, *id);
            put_u64(out, *size);
        }
        Op::Allocate { id, mode, offset, len } => {
            put_id(out, *id);
            put_u32(out, *mode);
            put_u64(out, *offset);
            put_u64(out, *len);
        }
        Op::SetAttrs { id, attrs } => put_attrs(out, *id, attrs),
        Op::SetXattr { id, name, value, flags } => {
            put_id(out, *id);
            put_u32(out, *flags);
            put_xattr(out, name)?;
            out.extend_from_slice(value);
        }
        Op::RemoveXattr { id, name } => {
            put_id(out, *id);
            put_xattr(out, name)?;
        }
        Op::Fsync { id } => put_id(out, *id),
        Op::Forget(ids) => ids.iter().for_each(|id| put_id(out, *id)),
    }
    Ok(())
}

fn kind_of(op: &Op) -> (u8, u8) {
    match op {
        Op::Bind { .. } => (kind::BIND, 0),
        Op::Create { .. } => (kind::CREATE, 0),
        Op::Symlink { .. } => (kind::SYMLINK, 0),
        Op::Tmpfile { .. } => (kind::TMPFILE, 0),
        Op::Link { .. } => (kind::LINK, 0),
        Op::Unlink { dir, .. } => (kind::UNLINK, if *dir { kind::DIR } else { 0 }),
        Op::Rename { .. } => (kind::RENAME, 0),
        Op::Write { sync, .. } => (kind::WRITE, if *sync { kind::SYNC } else { 0 }),
        Op::Truncate { .. } => (kind::TRUNCATE, 0),
        Op::Allocate { .. } => (kind::ALLOCATE, 0),
        Op::SetAttrs { attrs, .. } => (kind::SET_ATTRS, attrs_there(attrs)),
        Op::SetXattr { .. } => (kind::SET_XATTR, 0),
        Op::RemoveXattr { .. } => (kind::REMOVE_XATTR, 0),
        Op::Fsync { .. } => (kind::FSYNC, 0),
        Op::Forget(_) => (kind::FORGET, 0),
    }
}

fn attrs_there(attrs: &Attrs) -> u8 {
    let bit = |there: bool, bit: u8| if there { bit } else { 0 };
    bit(attrs.mode.is_some(), kind::MODE)
        | bit(attrs.uid.is_some(), kind::UID)
        | bit(attrs.gid.is_some(), kind::GID)
        | bit(attrs.atime.is_some(), kind::ATIME)
        | bit(attrs.mtime.is_some(), kind::MTIME)
}

fn put_attrs(out: &mut Vec<u8>, id: FileId, attrs: &Attrs) {
    put_id(out, id);
    for number in [attrs.mode, attrs.uid, attrs.gid].into_iter().flatten() {
        put_u32(out, number);
    }
    for Time { secs, nanos } in [attrs.atime, attrs.mtime].into_iter().flatten() {
        out.extend_from_slice(&secs.to_le_bytes());
        put_u32(out, nanos);
    }
}

fn put_entry(out: &mut Vec<u8>, id: FileId, parent: FileId, name: &Name) {
    put_id(out, id);
    put_id(out, parent);
    put_name(out, name);
}

fn put_owner(out: &mut Vec<u8>, owner: &Owner) {
    put_u32(out, owner.mode);
    put_u32(out, owner.uid);
    put_u32(out, owner.gid);
}

fn put_name(out: &mut Vec<u8>, name: &Name) {
    // A name has 1 to 255 bytes: that is what the type is for.
    out.push(name.as_bytes().len() as u8);
    out.extend_from_slice(name.as_bytes());
}

fn put_xattr(out: &mut Vec<u8>, name: &[u8]) -> Result<(), WireError> {
    let length = u8::try_from(name.len()).map_err(|_| WireError::TooLong("name of an attribute"))?;
    out.push(length);
    out.extend_from_slice(name);
    Ok(())
}

/// A text, cut at the end of a character if it is too long: better a short reason than none.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let end = (0..=text.len().min(TEXT_MOST)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    out.extend_from_slice(&text.as_bytes()[..end]);
}

fn put_id(out: &mut Vec<u8>, id: FileId) {
    put_u64(out, id.0);
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}
