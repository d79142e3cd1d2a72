//! The same for farm and light modules.

use super::Explanation;
use crate::fsm::farm::{At, Config, Move, Moving, State, Waits};

/// Explains a state; `module` is its name for the texts.
pub fn explain(cfg: &Config, s: &State, module: &str) -> Explanation {
    let mut e = Explanation::default();
    match &s.at {
        At::Stopped => super::stopped(&mut e, s.record.clean, module),
        At::Waiting => {
            super::rules(&mut e, &s.waits, module);
            if s.waits == Waits::Clear {
                e.because("no failover rule holds it: the application starts");
            }
        }
        At::Up if cfg.farm => {
            e.because("the application runs and serves its share of the clients");
        }
        At::Up => {
            e.because("the application runs");
        }
        At::Moving(m) => {
            moving(&mut e, cfg, s, m);
            e.advise(format!("safekit logview -A -m {module} shows each step"));
            e.advise("forcestop kills the script that runs");
        }
    }
    e
}

fn moving(e: &mut Explanation, cfg: &Config, s: &State, m: &Moving) {
    let steps = m.todo(cfg.farm).len().max(1);
    match m.mv {
        Move::Join | Move::Resume => {
            e.because("the application runs, but no clients are sent to this node: it joins its group")
        }
        _ => e.because(format!("on its way to {}: step {} of {steps}", m.to, m.at + 1)),
    };
    if let Some(why) = &m.failure {
        e.because(format!("{why}; it is tried again"));
    }
    if let Some((command, _)) = &s.pending {
        let (role, _) = m.shown();
        e.because(format!("\"{command}\" follows when {role} is reached"));
    }
}
