//! The bytes of files: read as data and holes, hashed, written so that holes stay holes.

use super::wire::{Blob, Piece};
use rustix::fs::{FallocateFlags, SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Most bytes that are hashed for one answer, so that it comes soon.
const HASH_MOST: u64 = 64 << 20;
/// Most pieces in one answer.
const PIECES_MOST: usize = 4096;

/// The next data at or after `offset`; `None`: there is none.
pub(in crate::rfs) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        // The file system knows no holes.
        Err(Errno::INVAL) => Ok(Some(offset)),
        Err(e) => Err(e.into()),
    }
}

fn next_hole(file: &File, offset: u64) -> io::Result<u64> {
    match seek(file, SeekFrom::Hole(offset)) {
        Ok(at) => Ok(at),
        Err(Errno::NXIO | Errno::INVAL) => Ok(u64::MAX),
        Err(e) => Err(e.into()),
    }
}

/// Reads up to `len` bytes; fewer only at the end of the file.
fn read_at(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    let mut got = 0;
    while got < bytes.len() {
        match file.read_at(&mut bytes[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// What is in `offset..end` of a file of `size` bytes, `most` bytes of data at most. Second: where
/// the rest begins; `None`: there is none before the end of the range and of the file.
pub(super) fn read(
    file: &File,
    size: u64,
    offset: u64,
    end: u64,
    most: u64,
) -> io::Result<(Vec<Piece>, Option<u64>)> {
    let end = end.min(size);
    let (mut at, mut left, mut pieces) = (offset, most.max(1), Vec::new());
    while at < end {
        if left == 0 || pieces.len() >= PIECES_MOST {
            return Ok((pieces, Some(at)));
        }
        let data = next_data(file, at)?.unwrap_or(end).min(end);
        if data > at {
            pieces.push(Piece::Hole(data - at));
            at = data;
            continue;
        }
        let stop = next_hole(file, at)?.min(end).min(at.saturating_add(left));
        let bytes = read_at(file, at, stop.saturating_sub(at).max(1))?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        left = left.saturating_sub(bytes.len() as u64);
        pieces.push(Piece::Bytes(Blob(bytes)));
    }
    Ok((pieces, None))
}

/// Hashes of the blocks from `offset` on; holes are skipped in whole blocks, unread.
pub(super) fn hashes(
    file: &File,
    size: u64,
    offset: u64,
    block: u64,
) -> io::Result<(Vec<Piece>, Option<u64>)> {
    let (mut at, mut pieces, mut hashed) = (offset, Vec::new(), 0);
    while at < size {
        if hashed >= HASH_MOST || pieces.len() >= PIECES_MOST {
            return Ok((pieces, Some(at)));
        }
        let data = next_data(file, at)?.unwrap_or(size).min(size);
        let data = if data == size { size } else { data / block * block };
        if data > at {
            pieces.push(Piece::Hole(data - at));
            at = data;
            continue;
        }
        let len = block.min(size - at);
        pieces.push(Piece::Hash(len, hash(file, at, len)?));
        at += len;
        hashed += len;
    }
    Ok((pieces, None))
}

/// BLAKE3 of a range, with the zeros beyond the end of the file.
pub(super) fn hash(file: &File, offset: u64, len: u64) -> io::Result<[u8; 32]> {
    const STEP: u64 = 1 << 20;
    let mut hash = blake3::Hasher::new();
    let mut done = 0;
    while done < len {
        let step = STEP.min(len - done);
        let mut bytes = read_at(file, offset + done, step)?;
        bytes.resize(usize::try_from(step).map_err(io::Error::other)?, 0);
        hash.update(&bytes);
        done += step;
    }
    Ok(*hash.finalize().as_bytes())
}

/// Makes a range of a file a hole, if it is not one.
pub(super) fn punch(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let end = offset.saturating_add(len);
    let Some(at) = next_data(file, offset)?.filter(|&at| at < end) else { return Ok(()) };
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(file, flags, at, end - at) {
        Err(Errno::OPNOTSUPP) => zeros(file, at, end),
        other => Ok(other?),
    }
}

fn zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 65536] = [0; 65536];
    let mut at = from;
    while at < to {
        let len = (to - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..usize::try_from(len).map_err(io::Error::other)?], at)?;
        at += len;
    }
    Ok(())
}

/// Whether a range holds no byte but zeros.
pub(super) fn is_zero(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    const STEP: u64 = 1 << 20;
    let end = offset.saturating_add(len);
    let mut at = offset;
    while let Some(data) = next_data(file, at)?.filter(|&d| d < end) {
        let bytes = read_at(file, data, STEP.min(end - data))?;
        if bytes.iter().any(|&b| b != 0) {
            return Ok(false);
        }
        at = data + bytes.len().max(1) as u64;
    }
    Ok(true)
}

/// Whether two files of this length hold the same bytes.
pub(in crate::rfs) fn same(a: &File, b: &File, size: u64) -> io::Result<bool> {
    const STEP: u64 = 1 << 20;
    let mut at = 0;
    loop {
        let data = [next_data(a, at)?, next_data(b, at)?].into_iter().flatten().min();
        let Some(data) = data.filter(|&d| d < size) else { return Ok(true) };
        let len = STEP.min(size - data);
        if read_at(a, data, len)? != read_at(b, data, len)? {
            return Ok(false);
        }
        at = data + len;
    }
}
