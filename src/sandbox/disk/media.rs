//! What is on a disk: the image holds what is durable; what was written since the last flush is in
//! memory only, as in the volatile cache of a drive.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Unit of the cache in bytes.
const BLOCK: usize = 4096;
/// What a drive writes in one piece, in bytes.
const SECTOR: usize = 512;

/// What is wrong with a disk; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Requests that fail with EIO.
    pub failing: Vec<Failing>,
    /// Flushes are acknowledged but make nothing durable.
    pub lies: bool,
    /// Every request takes so much longer.
    pub delay: Duration,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failing = |kind: fn(&Failing) -> bool| self.failing.iter().any(kind);
        let words = [
            (failing(|f| f.reads), "fails reads".to_owned()),
            (failing(|f| f.writes), "fails writes".to_owned()),
            (self.lies, "lies".to_owned()),
            (!self.delay.is_zero(), format!("{} ms slower", self.delay.as_millis())),
        ];
        let words: Vec<_> = words.into_iter().filter(|(so, _)| *so).map(|(_, word)| word).collect();
        write!(f, "lossy disk{}{}", if words.is_empty() { "" } else { ": " }, words.join(", "))
    }
}

/// Requests that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Reads fail.
    pub reads: bool,
    /// Writes fail.
    pub writes: bool,
    /// First byte of the disk of which this is so.
    pub from: u64,
    /// First byte after.
    pub to: u64,
}

impl Failing {
    fn touches(&self, offset: u64, length: usize) -> bool {
        offset < self.to && self.from < offset.saturating_add(length as u64)
    }
}

type Block = Box<[u8; BLOCK]>;

/// A disk with a volatile cache.
pub(super) struct Media {
    image: File,
    size: u64,
    cache: BTreeMap<u64, Block>,
    pub faults: Faults,
    /// The power has gone: nothing becomes durable any more.
    off: bool,
}

impl Media {
    /// The disk whose durable content is `image`; its size in bytes is a multiple of 4096.
    pub fn new(image: File) -> io::Result<Media> {
        let size = image.metadata()?.len();
        Ok(Media { image, size, cache: BTreeMap::new(), faults: Faults::default(), off: false })
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn check(&self, offset: u64, length: usize, kind: impl Fn(&Failing) -> bool) -> io::Result<()> {
        if self.faults.failing.iter().any(|f| kind(f) && f.touches(offset, length)) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        Ok(())
    }

    /// Fills as much of `buffer` as there is of the disk from `offset` on; how much.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let length =
            buffer.len().min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..length];
        self.check(offset, length, |f| f.reads)?;
        self.image.read_exact_at(buffer, offset)?;
        for piece in pieces(offset, length) {
            if let Some(block) = self.cache.get(&piece.block) {
                buffer[piece.outer.clone()].copy_from_slice(&block[piece.inner.clone()]);
            }
        }
        Ok(length)
    }

    /// Keeps what is written until it is flushed.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset.saturating_add(data.len() as u64) > self.size {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        self.check(offset, data.len(), |f| f.writes)?;
        for piece in pieces(offset, data.len()) {
            if !self.cache.contains_key(&piece.block) {
                let mut block = Box::new([0; BLOCK]);
                if piece.inner.len() < BLOCK {
                    self.image.read_exact_at(&mut block[..], piece.block * BLOCK as u64)?;
                }
                self.cache.insert(piece.block, block);
            }
            if let Some(block) = self.cache.get_mut(&piece.block) {
                block[piece.inner].copy_from_slice(&data[piece.outer]);
            }
        }
        Ok(())
    }

    /// Makes durable what was written: kept by the image, which outlives the server of the disk.
    pub fn flush(&mut self) -> io::Result<()> {
        let whole = |f: &Failing| f.writes && f.from == 0 && f.to >= self.size;
        if self.faults.failing.iter().any(whole) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        if self.faults.lies || self.off {
            return Ok(());
        }
        while let Some((block, data)) = self.cache.first_key_value() {
            self.image.write_all_at(&data[..], block * BLOCK as u64)?;
            self.cache.pop_first();
        }
        Ok(())
    }

    /// The power goes: of what was not flushed nothing survives, or a random part drawn from `seed`: some
    /// blocks wholly, some only in their first sectors. Whoever still uses the disk sees no difference.
    pub fn cut(&mut self, seed: Option<u64>) -> io::Result<()> {
        self.off = true;
        let Some(mut seed) = seed else { return Ok(()) };
        for (block, data) in &self.cache {
            let sectors = match random(&mut seed) % 8 {
                0..4 => 0,
                4 => usize::try_from(random(&mut seed) % 8).unwrap_or(0),
                _ => BLOCK / SECTOR,
            };
            self.image.write_all_at(&data[..sectors * SECTOR], block * BLOCK as u64)?;
        }
        Ok(())
    }
}

/// A part of a request that lies in one block.
struct Piece {
    block: u64,
    /// Where in the block.
    inner: std::ops::Range<usize>,
    /// Where in the request.
    outer: std::ops::Range<usize>,
}

fn pieces(offset: u64, length: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= length {
            return None;
        }
        let at = offset + done as u64;
        let start = usize::try_from(at % BLOCK as u64).unwrap_or(0);
        let end = BLOCK.min(start + length - done);
        let outer = done..done + end - start;
        done = outer.end;
        Some(Piece { block: at / BLOCK as u64, inner: start..end, outer })
    })
}

/// SplitMix64: the next number of the sequence that begins with `state`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: u64 = 64;

    fn media() -> (tempfile::NamedTempFile, Media) {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(BLOCKS * BLOCK as u64).unwrap();
        let media = again(&image);
        (image, media)
    }

    /// The disk after a power failure.
    fn again(image: &tempfile::NamedTempFile) -> Media {
        Media::new(File::options().read(true).write(true).open(image.path()).unwrap()).unwrap()
    }

    fn bytes(media: &Media, offset: u64, length: usize) -> Vec<u8> {
        let mut buffer = vec![9; length];
        assert_eq!(media.read(offset, &mut buffer).unwrap(), length);
        buffer
    }

    #[test]
    fn only_what_was_flushed_survives() {
        let (image, mut media) = media();
        media.write(4000, &[1; 5000]).unwrap();
        media.flush().unwrap();
        media.write(4090, &[2; 12]).unwrap();
        assert_eq!(bytes(&media, 4089, 14), [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
        media.cut(None).unwrap();
        media.write(0, &[3; 10]).unwrap();
        media.flush().unwrap();
        assert_eq!(bytes(&media, 0, 1), [3], "the dying mount sees what it writes");
        let after = again(&image);
        assert_eq!(bytes(&after, 3999, 5002), [vec![0], vec![1; 5000], vec![0]].concat());
        assert_eq!(bytes(&after, 0, 10), [0; 10]);
    }

    #[test]
    fn the_end_of_the_disk_is_its_end() {
        let (_image, mut media) = media();
        let end = BLOCKS * BLOCK as u64;
        assert_eq!(media.read(end - 3, &mut [0; 10]).unwrap(), 3);
        assert_eq!(media.read(end + 3, &mut [0; 10]).unwrap(), 0);
        assert_eq!(media.write(end - 3, &[0; 4]).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn a_disk_that_lies_loses_what_it_acknowledged() {
        let (image, mut media) = media();
        media.faults.lies = true;
        media.write(0, &[1; 10]).unwrap();
        media.flush().unwrap();
        assert_eq!(bytes(&again(&image), 0, 10), [0; 10]);
        media.faults.lies = false;
        media.flush().unwrap();
        assert_eq!(bytes(&again(&image), 0, 10), [1; 10]);
    }

    /// Sectors of each block that survived a cut with this seed.
    fn survivors(seed: u64) -> Vec<usize> {
        let (image, mut media) = media();
        media.write(0, &[1; BLOCKS as usize * BLOCK]).unwrap();
        media.cut(Some(seed)).unwrap();
        let all = bytes(&again(&image), 0, BLOCKS as usize * BLOCK);
        let count = |block: &[u8]| {
            let kept = block.iter().take_while(|b| **b == 1).count();
            assert!(block[kept..].iter().all(|b| *b == 0) && kept % SECTOR == 0);
            kept / SECTOR
        };
        all.chunks(BLOCK).map(count).collect()
    }

    #[test]
    fn a_random_part_survives_and_the_seed_says_which() {
        let first = survivors(1);
        assert!(
            first.contains(&0) && first.contains(&8) && first.iter().any(|n| (1..8).contains(n)),
            "{first:?}"
        );
        assert_eq!(first, survivors(1));
        assert_ne!(first, survivors(2));
    }

    #[test]
    fn requests_fail_where_they_are_told_to() {
        let (_image, mut media) = media();
        let failing = Failing { reads: true, writes: false, from: 4096, to: 8192 };
        media.faults.failing = vec![failing];
        let fails = |media: &Media, offset| media.read(offset, &mut [0; 4096]).is_err();
        assert!(!fails(&media, 0) && fails(&media, 1) && fails(&media, 8191) && !fails(&media, 8192));
        media.write(4096, &[1]).unwrap();
        media.flush().unwrap();
        media.faults.failing = vec![Failing { reads: false, writes: true, from: 0, to: u64::MAX }];
        assert!(!fails(&media, 4096));
        assert_eq!(media.write(0, &[1]).unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!(media.flush().unwrap_err().raw_os_error(), Some(libc::EIO));
    }
}
