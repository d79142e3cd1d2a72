//! A module that is checked began anew (ST-79d).

use super::plan::Move;
use super::state::{At, Goal, State};
use crate::fsm::anew::Anew;
use crate::fsm::command::Command;

impl State {
    /// A primary stops and starts. A secondary does not leave its role, because its data would count for
    /// nothing if the primary, failing together with the checked module, never came back: its scripts are
    /// restarted where it is. Between two states nothing is decided: at the end of a takeover the data is
    /// up to date, in its middle it is not.
    pub fn anew(&self) -> Anew {
        match &self.at {
            At::Alone | At::Prim | At::Asking => Anew::Now(Command::StopStart),
            At::Second => Anew::Now(Command::Restart),
            At::Joining | At::Leaving(Goal::Rejoin) => Anew::Later,
            At::Moving(m) if matches!(m.mv, Move::Halt | Move::Answered) && m.goal == Goal::Rejoin => {
                Anew::Later
            }
            At::Moving(m) => match m.mv {
                Move::Promote
                | Move::Join
                | Move::Pair
                | Move::Ask
                | Move::GoAlone
                | Move::Takeover
                | Move::Restart
                | Move::SwapOut => Anew::Later,
                Move::Start | Move::Halt | Move::Answered | Move::Finish | Move::Yield | Move::Recover => {
                    Anew::Nothing
                }
            },
            At::Stopped | At::Waiting | At::Claiming | At::Leaving(_) => Anew::Nothing,
        }
    }
}
