//! The `safekit` command.

use nix::sys::signal::{SigHandler, Signal, signal};

fn main() {
    // A closed pipe ends the command silently, as with other commands (`safekit log | head`).
    // SAFETY: the default action runs no code of this program.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    std::process::exit(safekit::cli::run(std::env::args_os()));
}
