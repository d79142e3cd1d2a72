//! Loop devices: a file as a block device, so that an ordinary file system can be on it.

use super::super::error::{During, Result};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Major number of loop devices.
pub(super) const MAJOR: u64 = 7;
/// The device is free again once nobody has it open or mounted.
const AUTOCLEAR: u32 = 4;
/// Somebody else may take the free device first; not so often in a row.
const TRIES: u32 = 100;

/// `struct loop_info64` of the kernel.
#[repr(C)]
struct Info {
    numbers: [u64; 5],
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of the kernel.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

nix::ioctl_write_ptr_bad!(loop_configure, 0x4c0a, Config);
nix::ioctl_none_bad!(loop_ctl_get_free, 0x4c82);

/// A loop device that this process holds. It lives on while it is mounted.
pub(super) struct Loop {
    _device: File,
    /// Its number.
    pub number: u32,
}

impl Loop {
    /// Makes a file a block device; `dir` is a place for its node where `/dev` has none.
    pub fn attach(file: &File, dir: &Path) -> Result<Loop> {
        let control = File::options().read(true).write(true).open("/dev/loop-control");
        let control =
            control.during(|| "open /dev/loop-control (is the kernel's loop driver there?)".into())?;
        let mut last = io::Error::from(io::ErrorKind::ResourceBusy);
        for _ in 0..TRIES {
            // SAFETY: the call takes no argument and touches no memory of ours.
            let number = unsafe { loop_ctl_get_free(control.as_raw_fd()) };
            let number = number.during(|| "get a free loop device".into())?.cast_unsigned();
            match configure(file, number, dir) {
                Ok(device) => return Ok(Loop { _device: device, number }),
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) => last = e,
                Err(e) => return Err(e).during(|| format!("set up the loop device {number}")),
            }
        }
        Err(last).during(|| "find a loop device that stays free".into())
    }
}

fn configure(file: &File, number: u32, dir: &Path) -> io::Result<File> {
    let device = node(number, dir)?;
    let device = File::options().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(device)?;
    let config = Config {
        fd: file.as_raw_fd().cast_unsigned(),
        block_size: 0,
        info: Info {
            numbers: [0; 5],
            number: 0,
            encryption: [0; 2],
            flags: AUTOCLEAR,
            file_name: [0; 64],
            crypt_name: [0; 64],
            key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: the kernel reads one struct loop_config, which `Config` is and which outlives the call.
    unsafe { loop_configure(device.as_raw_fd(), &raw const config) }?;
    Ok(device)
}

/// The node of a loop device: that of `/dev`, or one made in `dir` where devices do not appear by themselves.
pub(super) fn node(number: u32, dir: &Path) -> io::Result<PathBuf> {
    let usual = PathBuf::from(format!("/dev/loop{number}"));
    if usual.exists() {
        return Ok(usual);
    }
    let own = dir.join(format!("loop{number}"));
    match mknod(&own, SFlag::S_IFBLK, Mode::S_IRUSR | Mode::S_IWUSR, makedev(MAJOR, u64::from(number))) {
        Ok(()) | Err(nix::Error::EEXIST) => Ok(own),
        Err(e) => Err(e.into()),
    }
}

#[test]
fn the_structures_are_those_of_the_kernel() {
    assert_eq!((size_of::<Info>(), size_of::<Config>()), (232, 304));
}
