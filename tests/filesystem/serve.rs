//! A plain volume for suites from elsewhere (pjdfstest, fsx), which are run by hand, until its standard
//! input ends:
//! `RFS_SERVE=/backing:/mountpoint cargo nextest run --test filesystem serve`.

use safekit::rfs::journal::Local;
use safekit::rfs::volume::{Exclude, Volume, VolumeOptions};
use std::path::Path;
use std::sync::Arc;

#[test]
fn serve_until_unmounted() {
    let Ok(text) = std::env::var("RFS_SERVE") else { return };
    let (backing, mountpoint) = text.split_once(':').expect("RFS_SERVE=backing:mountpoint");
    let options = VolumeOptions { acl: std::env::var_os("RFS_ACL").is_some(), threads: 0 };
    let (backing, mountpoint) = (Path::new(backing), Path::new(mountpoint));
    let volume =
        Volume::mount(backing, mountpoint, None, Arc::new(Local), Exclude::default(), options, None).unwrap();
    volume.primary(std::env::var_os("RFS_SECOND").is_none());
    // The end of standard input is the order to end.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    volume.unmount();
}
