//! The bytes of one file, from here to there.

use crate::rfs::resync::data::next_data;
use rustix::fs::ioctl_ficlone;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes in one step.
const STEP: u64 = 1 << 20;

/// Makes `to`, which is empty, hold what `from` holds: by a shared extent where the file system can,
/// else by a copy that keeps holes. The BLAKE3 of the bytes.
pub(super) fn copy(from: &File, to: &File) -> io::Result<String> {
    let size = from.metadata()?.len();
    let cloned = ioctl_ficlone(to, from).is_ok();
    let (mut hash, mut at) = (blake3::Hasher::new(), 0);
    while at < size {
        let data = next_data(from, at)?.unwrap_or(size).min(size);
        zeros(&mut hash, data - at);
        at = data;
        let mut buffer = vec![0; usize::try_from(STEP.min(size - at)).map_err(io::Error::other)?];
        let got = from.read_at(&mut buffer, at)?;
        if got == 0 {
            break;
        }
        hash.update(&buffer[..got]);
        if !cloned {
            to.write_all_at(&buffer[..got], at)?;
        }
        at += got as u64;
    }
    if !cloned {
        to.set_len(size)?;
    }
    Ok(hash.finalize().to_hex().to_string())
}

fn zeros(hash: &mut blake3::Hasher, mut count: u64) {
    static ZEROS: [u8; 65536] = [0; 65536];
    while count > 0 {
        let step = count.min(ZEROS.len() as u64);
        // It is not more than the length of the array.
        hash.update(&ZEROS[..usize::try_from(step).unwrap_or(ZEROS.len())]);
        count -= step;
    }
}
