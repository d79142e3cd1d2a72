//! What the automata of all modules have in common: the rules' word on waiting, the windows of
//! checkers, and what becomes of an event.

use super::command::{Caller, Command};
use crate::log::Lang;
use crate::told::{Tell, Told};
use serde::{Deserialize, Serialize};

/// The rules' word on waiting (ST-70 to ST-73).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Waits {
    /// A resource used by a wait rule is still `init`.
    Hold(String),
    /// A wait rule is true.
    Blocked(String),
    /// No wait rule is true.
    Clear,
}

/// What happens to modules of every kind; each automaton has it among its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody asks for something.
    Command(Command, Caller),
    /// The rules' word on waiting.
    Waits(Waits),
    /// An effect ended.
    Done(u64, Result<(), Told>),
    /// A timer ended.
    Timer(u64),
    /// The guard has acted for a control plane that did not answer (S8).
    Fenced(Told),
}

/// When checkers run (ST-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Window {
    /// From prestart to poststop.
    Pre,
    /// While PRIM or ALONE.
    Prim,
    /// While SECOND.
    Second,
    /// While PRIM, ALONE, SECOND or UP.
    Both,
}

/// Why a command was refused; printed to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Refused {
    /// The state does not allow it (AMB-03).
    #[error("{command} is refused in {state}: {advice}")]
    State {
        /// The command.
        command: String,
        /// The state as printed.
        state: String,
        /// What to do instead.
        advice: Told,
    },
    /// The data does not allow it (ST-41).
    #[error(
        "prim is refused: the data of this node may be inconsistent (stopped during reintegration); start the other node, or run primforce if you are sure"
    )]
    Inconsistent,
    /// The other node is primary (ST-40).
    #[error("{0} is refused: the other node is primary")]
    PeerIsPrimary(String),
    /// There is no primary to be secondary of (ST-44).
    #[error("second is refused: the other node is not primary")]
    NoPrimary,
    /// Modules of this mode have no such command.
    #[error("{command} is for mirror modules; this is a {mode} module: {advice}")]
    Mode {
        /// The command.
        command: String,
        /// The mode of the module.
        mode: String,
        /// What to do instead.
        advice: Told,
    },
}

impl Tell for Refused {
    fn french(&self) -> String {
        match self {
            Refused::State { command, state, advice } => {
                format!("{command} est refusé en {state} : {}", advice.of(Lang::Fr))
            }
            Refused::Inconsistent => "prim est refusé : les données de ce nœud sont peut-être incohérentes \
                (arrêt pendant la réintégration) ; démarrez l'autre nœud, ou exécutez primforce si vous êtes sûr"
                .to_owned(),
            Refused::PeerIsPrimary(command) => format!("{command} est refusé : l'autre nœud est primaire"),
            Refused::NoPrimary => "second est refusé : l'autre nœud n'est pas primaire".to_owned(),
            Refused::Mode { command, mode, advice } => {
                let advice = advice.of(Lang::Fr);
                format!("{command} est réservé aux modules miroir ; ce module est de mode {mode} : {advice}")
            }
        }
    }
}

/// Why an event changed nothing, for the flight recorder and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ignored {
    /// An answer or timer of something that is over.
    Late,
    /// It says what is known already.
    Known,
    /// Nothing to stop.
    AlreadyStopped,
}

/// What a step says of its event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Taken.
    Taken,
    /// Changed nothing, for this reason.
    Ignored(Ignored),
    /// A command refused, for this reason.
    Refused(Refused),
}

/// What a step of an automaton gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<S, E> {
    /// The next state.
    pub state: S,
    /// What to do, in order.
    pub effects: Vec<E>,
    /// What became of the event.
    pub outcome: Outcome,
}
