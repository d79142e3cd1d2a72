//! `rfsbox`: the replicated directories of one module; started by safeadmin.

use anyhow::{Context, bail};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), None) = (args.next(), args.next()) else {
        bail!("rfsbox takes the file of its setup; it is started by safeadmin");
    };
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    safekit::rfs::service::run(Path::new(&file)).context("rfsbox must end")
}
