//! The same for farm and light modules.

use super::Explanation;
use crate::fsm::farm::{At, Config, Move, Moving, State, Waits};
use crate::told::told;

/// Explains a state; `module` is its name for the texts.
pub fn explain(cfg: &Config, s: &State, module: &str) -> Explanation {
    let mut e = Explanation::default();
    match &s.at {
        At::Stopped => super::stopped(&mut e, s.record.clean, module),
        At::Waiting => {
            super::rules(&mut e, &s.waits, module);
            if s.waits == Waits::Clear {
                e.because(told!(
                    "no failover rule holds it: the application starts",
                    "aucune règle de failover ne le retient : l'application démarre"
                ));
            }
        }
        At::Up if cfg.farm => {
            e.because(told!(
                "the application runs and serves its share of the clients",
                "l'application s'exécute et sert sa part des clients"
            ));
        }
        At::Up => {
            e.because(told!("the application runs", "l'application s'exécute"));
        }
        At::Moving(m) => {
            moving(&mut e, cfg, s, m);
            super::watch_steps(&mut e, module);
        }
    }
    e
}

fn moving(e: &mut Explanation, cfg: &Config, s: &State, m: &Moving) {
    match m.mv {
        Move::Join | Move::Resume => {
            e.because(told!(
                "the application runs, but no clients are sent to this node: it joins its group",
                "l'application s'exécute, mais aucun client n'est envoyé à ce nœud : il rejoint son groupe"
            ));
        }
        _ => super::on_its_way(e, m.to, m.at + 1, m.todo(cfg.farm).len()),
    }
    if let Some(why) = &m.failure {
        e.because(why.clone() + told!("; it is tried again", " ; nouvel essai en cours"));
    }
    super::follows(e, s.pending.as_ref(), m.shown().0);
}
