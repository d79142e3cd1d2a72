//! `safewebserver`: the web service of the node.

use anyhow::{Context, bail};
use safekit::config::paths::Paths;
use safekit::web;

fn main() -> anyhow::Result<()> {
    if std::env::args_os().len() > 1 {
        bail!(
            "safewebserver takes no arguments; it is started as a service, with SAFE and SAFEVAR in its environment"
        );
    }
    let paths = Paths::from_env().context("safewebserver cannot start")?;
    web::run(paths).context("safewebserver cannot go on")
}
