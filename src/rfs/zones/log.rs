//! The log that keeps the zones: a header, then records that are only appended. A new log takes the
//! place of the old one at once, so a header is never half written.

use super::medium::{Append, Medium};
use super::set::Files;
use crate::rfs::op::FileKey;
use std::io;
use std::ops::Range;

/// Bytes of the header and of each record.
pub(super) const RECORD: usize = 48;
const MAGIC: [u8; 8] = *b"SKZONES1";
const SUM: usize = 8;

/// One mark: zones of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub file: FileKey,
    pub zones: Range<u64>,
}

/// A log that is open for more marks.
#[derive(Debug)]
pub(super) struct Log {
    out: Box<dyn Append>,
    /// Records in it.
    pub records: usize,
}

/// What a file of zones says.
#[derive(Debug)]
pub(super) struct Loaded {
    pub generation: u64,
    pub files: Files,
}

fn sealed(words: [u64; 5]) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    for (at, word) in bytes.chunks_exact_mut(8).zip(words) {
        at.copy_from_slice(&word.to_le_bytes());
    }
    let sum = blake3::hash(&bytes[..RECORD - SUM]);
    bytes[RECORD - SUM..].copy_from_slice(&sum.as_bytes()[..SUM]);
    bytes
}

fn opened(bytes: &[u8]) -> Option<[u64; 5]> {
    let (body, sum) = bytes.split_at_checked(RECORD - SUM)?;
    if blake3::hash(body).as_bytes()[..SUM] != *sum {
        return None;
    }
    let mut words = [0; 5];
    for (word, at) in words.iter_mut().zip(body.chunks_exact(8)) {
        *word = u64::from_le_bytes(at.try_into().ok()?);
    }
    Some(words)
}

/// `batch` is the index of the first record of its batch. A batch begins only when the one before it is on
/// disk, so a record vouches for all before that index.
fn record(mark: &Mark, batch: usize) -> [u8; RECORD] {
    sealed([mark.file.ino, mark.file.birth, mark.zones.start, mark.zones.end, batch as u64])
}

impl Log {
    /// Writes a log that holds `files` and puts it in the place of the old one.
    pub fn create(medium: &dyn Medium, zone_bytes: u64, generation: u64, files: &Files) -> io::Result<Log> {
        let header = [u64::from_le_bytes(MAGIC), zone_bytes, generation, files.ranges as u64, 0];
        let out = medium.replace(&mut |out| {
            out.write_all(&sealed(header))?;
            for (&file, set) in &files.files {
                for zones in set.ranges() {
                    out.write_all(&record(&Mark { file, zones }, 0))?;
                }
            }
            Ok(())
        })?;
        Ok(Log { out, records: files.ranges })
    }

    /// Appends a batch; it is on disk when this returns.
    pub fn append(&mut self, marks: &[Mark]) -> io::Result<()> {
        let bytes: Vec<u8> = marks.iter().flat_map(|m| record(m, self.records)).collect();
        self.out.append(&bytes)?;
        self.records += marks.len();
        Ok(())
    }
}

/// Reads the file of zones. A record that is torn at the end of the last batch is harmless: its write
/// had not begun. `Err` says why the file proves nothing.
pub(super) fn load(bytes: &[u8], zone_bytes: u64) -> Result<Loaded, &'static str> {
    let (header, body) = bytes.split_at_checked(RECORD).ok_or("its header is cut")?;
    let [magic, size, generation, solid, _] = opened(header).ok_or("its header is damaged")?;
    if magic != u64::from_le_bytes(MAGIC) {
        return Err("it has another format");
    }
    if size != zone_bytes {
        return Err("the zone size was changed");
    }
    let records: Vec<Option<[u64; 5]>> = body.chunks(RECORD).map(opened).collect();
    // From here on everything belongs to the last batch, of which nobody knows that it was on disk.
    let last = records.iter().flatten().next_back().map_or(0, |r| r[4]);
    let settled = usize::try_from(last.max(solid)).map_err(|_| "its header is damaged")?;
    if records.len() < settled || records[..settled].iter().any(Option::is_none) {
        return Err("a record in its middle is damaged");
    }
    let mut files = Files::default();
    for [ino, birth, start, end, _] in records.into_iter().flatten() {
        files.insert(FileKey { ino, birth }, start..end);
    }
    Ok(Loaded { generation, files })
}
