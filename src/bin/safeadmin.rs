//! `safeadmin`: the daemon of the node.

use anyhow::{Context, bail};
use safekit::actors::admin;
use safekit::config::paths::Paths;
use tracing_subscriber::EnvFilter;

/// Variable with the level of what this program says about itself on standard error.
const LEVEL: &str = "SAFEKIT_LOG";

fn main() -> anyhow::Result<()> {
    if std::env::args_os().len() > 1 {
        bail!(
            "safeadmin takes no arguments; it is started as a service, with SAFE and SAFEVAR in its environment"
        );
    }
    let filter = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let paths = Paths::from_env().context("safeadmin cannot start")?;
    admin::run(paths).context("safeadmin cannot go on")
}
