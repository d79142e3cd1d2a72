//! Requests of the kernel, taken apart without a copy.

use super::abi::{self, Fields, fattr, opcode};

/// A request. Names are as the kernel sent them: to be checked by who uses them.
#[derive(Debug)]
pub struct Request<'a> {
    /// Number that the reply names.
    pub unique: u64,
    /// Node that it is about.
    pub node: u64,
    /// User of the caller.
    pub uid: u32,
    /// Group of the caller.
    pub gid: u32,
    /// What is asked.
    pub operation: Operation<'a>,
    raw: &'a [u8],
    dialect: Dialect,
}

/// A request that is no request; it is answered with EINVAL if its number could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Number of the request.
    pub unique: Option<u64>,
}

/// A time to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// Now.
    Now,
    /// Seconds and nanoseconds since 1970.
    At(i64, u32),
}

/// What a `SETATTR` sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length in bytes.
    pub size: Option<u64>,
    /// Access time.
    pub atime: Option<SetTime>,
    /// Modification time.
    pub mtime: Option<SetTime>,
    /// Open file that it came through.
    pub handle: Option<u64>,
    /// The set-id bits have to go.
    pub kill: bool,
}

/// What is asked.
#[allow(missing_docs, reason = "the fields are those of the system calls of the same names")]
#[derive(Debug)]
pub enum Operation<'a> {
    Lookup { name: &'a [u8] },
    Forget { lookups: u64 },
    BatchForget(Forgets<'a>),
    GetAttr { handle: Option<u64> },
    SetAttr(SetAttr),
    ReadLink,
    Symlink { name: &'a [u8], target: &'a [u8] },
    Mknod { name: &'a [u8], mode: u32, rdev: u32, umask: u32 },
    Mkdir { name: &'a [u8], mode: u32, umask: u32 },
    Unlink { name: &'a [u8], dir: bool },
    Rename { name: &'a [u8], to_parent: u64, to_name: &'a [u8], flags: u32 },
    Link { id: u64, name: &'a [u8] },
    Open { flags: u32, kill: bool },
    Create { name: &'a [u8], flags: u32, mode: u32, umask: u32, kill: bool },
    Tmpfile { flags: u32, mode: u32, umask: u32 },
    Read { handle: u64, offset: u64, size: u32 },
    Write { handle: u64, offset: u64, data: &'a [u8], kill: bool },
    Statfs,
    Release { handle: u64 },
    Fsync { handle: u64, data_only: bool, dir: bool },
    SetXattr { name: &'a [u8], value: &'a [u8], flags: u32, kill: bool },
    GetXattr { name: &'a [u8], size: u32 },
    ListXattr { size: u32 },
    RemoveXattr { name: &'a [u8] },
    OpenDir,
    ReadDir { handle: u64, offset: u64, size: u32, plus: bool },
    ReleaseDir { handle: u64 },
    Fallocate { handle: u64, offset: u64, length: u64, mode: u32 },
    Seek { handle: u64, offset: u64, whence: u32 },
    Ioctl,
    Interrupt,
    Destroy,
    Init(Init),
    Other(u32),
}

/// What the kernel offers at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Init {
    /// Version.
    pub major: u32,
    /// Version.
    pub minor: u32,
    /// Bytes that it reads ahead.
    pub max_readahead: u32,
    /// Capabilities.
    pub flags: u64,
}

/// Nodes and how many lookups are forgotten of each.
#[derive(Clone, Debug)]
pub struct Forgets<'a>(&'a [u8]);

impl Iterator for Forgets<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let mut fields = Fields(self.0);
        let one = (fields.u64()?, fields.u64()?);
        self.0 = fields.0;
        Some(one)
    }
}

/// A request that is kept after its buffer is used again.
#[derive(Debug)]
pub struct Kept {
    raw: Box<[u8]>,
    dialect: Dialect,
}

/// What the negotiation changed in the form of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// `SETXATTR` has its longer head (Linux 5.13 and later).
    pub setxattr_ext: bool,
}

impl Kept {
    /// The request once more; never fails for what was a request before.
    pub fn request(&self) -> Result<Request<'_>, Malformed> {
        Request::parse(&self.raw, self.dialect)
    }
}

impl<'a> Request<'a> {
    /// Takes a request apart.
    pub fn parse(raw: &'a [u8], dialect: Dialect) -> Result<Request<'a>, Malformed> {
        let unique = raw.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes);
        Self::fields(raw, dialect).ok_or(Malformed { unique })
    }

    fn fields(raw: &'a [u8], dialect: Dialect) -> Option<Request<'a>> {
        let mut head = Fields(raw.get(..abi::IN_HEADER)?);
        let (len, code) = (head.u32()? as usize, head.u32()?);
        let (unique, node, uid, gid) = (head.u64()?, head.u64()?, head.u32()?, head.u32()?);
        head.skip(4)?;
        let extensions = usize::from(head.u16()?) * 8;
        let body = raw.get(abi::IN_HEADER..len.checked_sub(extensions)?)?;
        let operation = parse(code, Fields(body), dialect)?;
        Some(Request { unique, node, uid, gid, operation, raw: raw.get(..len)?, dialect })
    }

    /// A copy that outlives the buffer.
    pub fn keep(&self) -> Kept {
        Kept { raw: self.raw.into(), dialect: self.dialect }
    }
}

fn parse<'a>(code: u32, mut f: Fields<'a>, dialect: Dialect) -> Option<Operation<'a>> {
    use Operation as O;
    Some(match code {
        opcode::LOOKUP => O::Lookup { name: f.text()? },
        opcode::FORGET => O::Forget { lookups: f.u64()? },
        opcode::BATCH_FORGET => forgets(f)?,
        opcode::GETATTR => {
            let flags = f.u32()?;
            f.skip(4)?;
            let handle = f.u64()?;
            O::GetAttr { handle: (flags & abi::GETATTR_FH != 0).then_some(handle) }
        }
        opcode::SETATTR => O::SetAttr(set_attr(f)?),
        opcode::READLINK => O::ReadLink,
        opcode::SYMLINK => O::Symlink { name: f.text()?, target: f.text()? },
        opcode::MKNOD => {
            let (mode, rdev, umask) = (f.u32()?, f.u32()?, f.u32()?);
            f.skip(4)?;
            O::Mknod { name: f.text()?, mode, rdev, umask }
        }
        opcode::MKDIR => {
            let (mode, umask) = (f.u32()?, f.u32()?);
            O::Mkdir { name: f.text()?, mode, umask }
        }
        opcode::UNLINK => O::Unlink { name: f.text()?, dir: false },
        opcode::RMDIR => O::Unlink { name: f.text()?, dir: true },
        opcode::RENAME => {
            let to_parent = f.u64()?;
            O::Rename { name: f.text()?, to_parent, to_name: f.text()?, flags: 0 }
        }
        opcode::RENAME2 => {
            let (to_parent, flags) = (f.u64()?, f.u32()?);
            f.skip(4)?;
            O::Rename { name: f.text()?, to_parent, to_name: f.text()?, flags }
        }
        opcode::LINK => {
            let id = f.u64()?;
            O::Link { id, name: f.text()? }
        }
        opcode::INTERRUPT => O::Interrupt,
        opcode::DESTROY => O::Destroy,
        opcode::IOCTL => O::Ioctl,
        opcode::STATFS => O::Statfs,
        opcode::INIT => O::Init(init(f)?),
        opcode::SETXATTR => {
            let (size, flags) = (f.u32()? as usize, f.u32()?);
            let extra = if dialect.setxattr_ext { (f.u32()?, f.u32()?).0 } else { 0 };
            let kill = extra & abi::SETXATTR_ACL_KILL_SGID != 0;
            O::SetXattr { name: f.text()?, value: f.bytes(size)?, flags, kill }
        }
        _ => return parse_file(code, f),
    })
}

/// The operations on open files and on attributes.
fn parse_file<'a>(code: u32, mut f: Fields<'a>) -> Option<Operation<'a>> {
    use Operation as O;
    Some(match code {
        opcode::OPEN => O::Open { flags: f.u32()?, kill: f.u32()? & abi::OPEN_KILL_SUIDGID != 0 },
        opcode::OPENDIR => O::OpenDir,
        opcode::CREATE | opcode::TMPFILE => {
            let (flags, mode, umask) = (f.u32()?, f.u32()?, f.u32()?);
            let kill = f.u32()? & abi::OPEN_KILL_SUIDGID != 0;
            match code {
                opcode::TMPFILE => O::Tmpfile { flags, mode, umask },
                _ => O::Create { name: f.text()?, flags, mode, umask, kill },
            }
        }
        opcode::READ => O::Read { handle: f.u64()?, offset: f.u64()?, size: f.u32()? },
        opcode::READDIR | opcode::READDIRPLUS => {
            let plus = code == opcode::READDIRPLUS;
            O::ReadDir { handle: f.u64()?, offset: f.u64()?, size: f.u32()?, plus }
        }
        opcode::WRITE => {
            let (handle, offset) = (f.u64()?, f.u64()?);
            let (size, flags) = (f.u32()? as usize, f.u32()?);
            f.skip(16)?;
            O::Write { handle, offset, data: f.bytes(size)?, kill: flags & abi::WRITE_KILL_SUIDGID != 0 }
        }
        opcode::RELEASE => O::Release { handle: f.u64()? },
        opcode::RELEASEDIR => O::ReleaseDir { handle: f.u64()? },
        opcode::FSYNC | opcode::FSYNCDIR => {
            let (handle, flags) = (f.u64()?, f.u32()?);
            O::Fsync { handle, data_only: flags & abi::FSYNC_FDATASYNC != 0, dir: code == opcode::FSYNCDIR }
        }
        opcode::GETXATTR => {
            let size = f.u32()?;
            f.skip(4)?;
            O::GetXattr { name: f.text()?, size }
        }
        opcode::LISTXATTR => O::ListXattr { size: f.u32()? },
        opcode::REMOVEXATTR => O::RemoveXattr { name: f.text()? },
        opcode::FALLOCATE => {
            O::Fallocate { handle: f.u64()?, offset: f.u64()?, length: f.u64()?, mode: f.u32()? }
        }
        opcode::LSEEK => O::Seek { handle: f.u64()?, offset: f.u64()?, whence: f.u32()? },
        other => O::Other(other),
    })
}

fn forgets<'a>(mut f: Fields<'a>) -> Option<Operation<'a>> {
    let count = f.u32()? as usize;
    f.skip(4)?;
    Some(Operation::BatchForget(Forgets(f.bytes(count.checked_mul(16)?)?)))
}

fn init(mut f: Fields<'_>) -> Option<Init> {
    let (major, minor, max_readahead, low) = (f.u32()?, f.u32()?, f.u32()?, f.u32()?);
    let extended = u64::from(low) & abi::init::INIT_EXT != 0;
    let high = if extended { f.u32()? } else { 0 };
    Some(Init { major, minor, max_readahead, flags: u64::from(low) | u64::from(high) << 32 })
}

fn set_attr(mut f: Fields<'_>) -> Option<SetAttr> {
    let valid = f.u32()?;
    f.skip(4)?;
    let (handle, size) = (f.u64()?, f.u64()?);
    f.skip(8)?;
    let (atime, mtime) = (f.u64()?.cast_signed(), f.u64()?.cast_signed());
    f.skip(8)?;
    let (atime_nanos, mtime_nanos) = (f.u32()?, f.u32()?);
    f.skip(4)?;
    let mode = f.u32()?;
    f.skip(4)?;
    let (uid, gid) = (f.u32()?, f.u32()?);
    let has = |bit: u32| valid & bit != 0;
    let time = |set: u32, now: u32, secs: i64, nanos: u32| {
        has(set).then_some(if has(now) { SetTime::Now } else { SetTime::At(secs, nanos) })
    };
    Some(SetAttr {
        mode: has(fattr::MODE).then_some(mode),
        uid: has(fattr::UID).then_some(uid),
        gid: has(fattr::GID).then_some(gid),
        size: has(fattr::SIZE).then_some(size),
        atime: time(fattr::ATIME, fattr::ATIME_NOW, atime, atime_nanos),
        mtime: time(fattr::MTIME, fattr::MTIME_NOW, mtime, mtime_nanos),
        handle: has(fattr::FH).then_some(handle),
        kill: has(fattr::KILL_SUIDGID),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: Dialect = Dialect { setxattr_ext: true };

    fn raw(code: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(abi::IN_HEADER + body.len()).unwrap();
        let mut out = [len.to_ne_bytes(), code.to_ne_bytes()].concat();
        out.extend([7u64.to_ne_bytes(), 1u64.to_ne_bytes()].concat());
        out.extend([0u8; 16]);
        out.extend(body);
        out
    }

    #[test]
    fn names_end_with_nul() {
        let bytes = raw(opcode::LOOKUP, b"a\xffb\0");
        let request = Request::parse(&bytes, NEW).unwrap();
        assert_eq!(request.unique, 7);
        assert!(matches!(request.operation, Operation::Lookup { name: b"a\xffb" }));
        assert_eq!(Request::parse(&raw(opcode::LOOKUP, b"a"), NEW).unwrap_err().unique, Some(7));
    }

    #[test]
    fn a_kept_request_is_the_same() {
        let bytes = raw(opcode::UNLINK, b"gone\0");
        let kept = Request::parse(&bytes, NEW).unwrap().keep();
        assert!(matches!(kept.request().unwrap().operation, Operation::Unlink { name: b"gone", dir: false }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(code in 0u32..60, body in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..300) {
            let mut bytes = raw(code, &body);
            bytes.truncate(cut);
            if let Ok(Request { operation: Operation::BatchForget(all), .. }) = Request::parse(&bytes, NEW) {
                prop_assert!(all.count() < 20);
            }
            let _ = Request::parse(&body, NEW);
        }
    }
}
