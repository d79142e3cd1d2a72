//! `safeguard`: fences this node by itself when safeadmin does not live any more (S8).

use anyhow::{Context, bail};
use safekit::guard::server::Server;
use std::env;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    if env::args_os().len() > 1 {
        bail!(
            "safeguard takes no arguments; it is started as a service and serves the SAFEVAR of its environment"
        );
    }
    let safevar = env::var_os("SAFEVAR").map_or_else(|| PathBuf::from("/var/safekit"), PathBuf::from);
    if !safevar.is_absolute() {
        bail!("SAFEVAR must be an absolute path, not \"{}\"", safevar.display());
    }
    let mut server = Server::open(&safevar.join("run")).context("safeguard cannot start")?;
    server.harden();
    server.run().context("safeguard must end")
}
