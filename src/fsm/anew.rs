//! What a module does when another one, which it checks, has begun anew (CFG-MOD-03).

use super::command::Command;

/// Who asks for it, as the module log names it (MSG-A-16).
pub const MODULECHECK: &str = "modulecheck";

/// What follows from it in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// This, at once.
    Now(Command),
    /// It is asked again in the next state.
    Later,
    /// Nothing: the application does not run, and will find the other module as it is by then.
    Nothing,
}
