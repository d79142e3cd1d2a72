//! `rfsbox`: the replicated directories of one module; started by safeadmin.

use anyhow::{Context, bail};
use safekit::rfs::probe;
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|first| first == probe::WORD).is_some() {
        probe::ask(args.map(PathBuf::from));
        return Ok(());
    }
    let (Some(file), None) = (args.next(), args.next()) else {
        bail!("rfsbox takes the file of its setup; it is started by safeadmin");
    };
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    safekit::rfs::service::run(Path::new(&file)).context("rfsbox must end")
}
