//! The `safekit` command.

use clap::Parser;
use safekit::cli::sandbox::{self, SandboxCommand};

#[derive(Parser)]
#[command(name = "safekit")]
enum Safekit {
    /// Clusters of network namespaces on this machine.
    Sandbox(SandboxCommand),
}

fn main() {
    let Safekit::Sandbox(command) = Safekit::parse();
    let code = sandbox::run(command).unwrap_or_else(|e| {
        eprintln!("Error: {e}");
        1
    });
    std::process::exit(code);
}
