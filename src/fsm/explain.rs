//! Why a module is in its state, and what an operator can do: from the state itself.

pub mod farm;

use super::command::{Caller, Command};
use super::generation::Flag;
use super::mirror::{At, Config, Face, Goal, Peer, Posture, State, Waits, Why, difference};
use super::state::Role;
use crate::log::Lang;
use crate::told::{Told, told};

/// Causes, the main one first, and what can be done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Causes; the first is the line that `safekit state` shows.
    pub reasons: Vec<Told>,
    /// What to do.
    pub advice: Vec<Told>,
    /// The first cause is that this failover rule holds the module in WAIT.
    pub rule: Option<String>,
}

impl Explanation {
    fn because(&mut self, reason: Told) -> &mut Self {
        self.reasons.push(reason);
        self
    }

    fn advise(&mut self, advice: Told) -> &mut Self {
        self.advice.push(advice);
        self
    }
}

/// Explains a state of a mirror module; `module` and `peer` are names for the texts.
pub fn explain(cfg: &Config, s: &State, module: &str, peer: &str) -> Explanation {
    let mut e = Explanation::default();
    match &s.at {
        At::Stopped => stopped(&mut e, s.record.clean, module),
        At::Waiting => waiting(&mut e, s, module, peer),
        At::Claiming => {
            e.because(told!(
                "wants to become primary and waits until {peer} has seen it",
                "veut devenir primaire et attend que {peer} l'ait vu"
            ));
        }
        At::Joining | At::Second if !s.promotable => {
            e.because(told!(
                "waits for {peer} to say that this node is in step",
                "attend que {peer} confirme que ce nœud est synchronisé"
            ));
        }
        At::Joining | At::Second => {
            e.because(told!(
                "secondary of {peer}, in step: it takes over when {peer} stops or is lost",
                "secondaire de {peer}, synchronisé : il prend le relais si {peer} s'arrête ou est perdu"
            ));
        }
        At::Alone => alone(&mut e, cfg, s, module, peer),
        At::Prim => {
            e.because(told!(
                "primary, {peer} is in step and can take over",
                "primaire, {peer} est synchronisé et peut prendre le relais"
            ));
        }
        At::Asking => {
            e.because(told!("primary, {peer} is no longer in step: goes on alone once {peer} agrees or is silent", "primaire, {peer} n'est plus synchronisé : continue seul dès que {peer} est d'accord ou silencieux"));
        }
        At::Leaving(Goal::Rejoin) => {
            e.because(told!(
                "the application is stopped here for the swap, {peer} takes over",
                "l'application est arrêtée ici pour le swap, {peer} prend le relais"
            ));
        }
        At::Leaving(_) => {
            e.because(told!(
                "the application is stopped here, waits for the answer of {peer}",
                "l'application est arrêtée ici, attend la réponse de {peer}"
            ));
        }
        At::Moving(m) => {
            let (role, _) = m.shown();
            on_its_way(&mut e, m.to, m.at + 1, m.todo(cfg.data).len());
            follows(&mut e, s.pending.as_ref(), role);
            watch_steps(&mut e, module);
        }
    }
    said_of_peer(&mut e, s, peer);
    e
}

fn stopped(e: &mut Explanation, clean: bool, module: &str) {
    if !clean {
        e.because(told!(
            "stopped; its last halt was unexpected",
            "arrêté ; son dernier arrêt était inattendu"
        ));
    } else {
        e.because(told!("stopped", "arrêté"));
    }
    e.advise(Told::same(format!("safekit start -m {module}")));
}

fn on_its_way(e: &mut Explanation, to: Role, step: u8, steps: usize) {
    let steps = steps.max(1);
    e.because(told!(
        "on its way to {to}: step {step} of {steps}",
        "en route vers {to} : étape {step} sur {steps}"
    ));
}

/// What comes when the move has ended.
fn follows(e: &mut Explanation, pending: Option<&(Command, Caller)>, role: Role) {
    if let Some((command, _)) = pending {
        e.because(told!(
            "\"{command}\" follows when {role} is reached",
            "\"{command}\" suit quand {role} est atteint"
        ));
    }
}

fn watch_steps(e: &mut Explanation, module: &str) {
    e.advise(told!(
        "safekit logview -A -m {module} shows each step",
        "safekit logview -A -m {module} affiche chaque étape"
    ));
    e.advise(told!("forcestop kills the script that runs", "forcestop tue le script en cours"));
}

/// What a rule has to do with it.
fn rules(e: &mut Explanation, waits: &Waits, module: &str) {
    match waits {
        Waits::Blocked(rule) => {
            e.because(told!(
                "the failover rule {rule} holds it in WAIT",
                "la règle de failover {rule} le retient en WAIT"
            ));
            e.rule = Some(rule.clone());
            e.advise(told!("repair what the rule tests: safekit state -v -m {module} shows the resource that is down", "réparez ce que la règle teste : safekit state -v -m {module} affiche la ressource qui est down"));
        }
        Waits::Hold(what) => {
            e.because(told!("waits for the first examination of {what}", "attend le premier test de {what}"));
        }
        Waits::Clear => {}
    }
}

fn waiting(e: &mut Explanation, s: &State, module: &str, peer: &str) {
    if s.waits != Waits::Clear {
        return rules(e, &s.waits, module);
    }
    match s.why {
        Some(Why::NotUptodate) => {
            e.because(told!(
                "its data may be not up to date: only the other node is known to have the newest",
                "ses données ne sont peut-être pas à jour : seul l'autre nœud a sûrement les plus récentes"
            ));
            e.advise(told!(
                "start the module on {peer}: this node then becomes its secondary",
                "démarrez le module sur {peer} : ce nœud devient alors son secondaire"
            ));
            e.advise(told!("if you are sure that this node has valid data: safekit stop -m {module}; safekit prim -m {module}", "si vous êtes sûr que les données de ce nœud sont valides : safekit stop -m {module}; safekit prim -m {module}"));
        }
        Some(Why::FailoverOff) => {
            e.because(told!(
                "failover is off and this node was not the last primary",
                "failover est off et ce nœud n'était pas le dernier primaire"
            ));
            e.advise(told!(
                "start the module on {peer}, or: safekit stop -m {module}; safekit prim -m {module}",
                "démarrez le module sur {peer}, ou bien : safekit stop -m {module}; safekit prim -m {module}"
            ));
        }
        Some(Why::Refused) => {
            let why = s.refusal.clone().unwrap_or_else(|| told!("refused", "refusé"));
            let text = told!(
                "its directories could not be reintegrated: ",
                "ses répertoires n'ont pas pu être réintégrés : "
            );
            e.because(text + why);
            e.advise(told!("repair that, or copy everything: safekit stop -m {module}; safekit rfssync full -m {module}; safekit second -m {module}", "réparez cela, ou copiez tout : safekit stop -m {module}; safekit rfssync full -m {module}; safekit second -m {module}"));
        }
        Some(Why::Differs) => {
            let theirs = if let Peer::Heard { face, .. } = &s.peer { face.alike } else { None };
            let what = difference(s.alike, theirs).unwrap_or_else(|| Told::same("<rfs>"));
            let (en, fr) = (what.of(Lang::En), what.of(Lang::Fr));
            e.because(told!(
                "{peer} has another configuration, {en}: it cannot be its secondary",
                "{peer} a une autre configuration, {fr} : ce nœud ne peut pas être son secondaire"
            ));
            e.advise(told!(
                "deploy one configuration on both nodes: safekit -H \"*\" -E {module}",
                "déployez la même configuration sur les deux nœuds : safekit -H \"*\" -E {module}"
            ));
        }
        Some(Why::Degraded) => {
            e.because(told!(
                "{peer} goes on without replication since its replication process failed",
                "{peer} continue sans réplication depuis l'échec de son processus de réplication"
            ));
            e.advise(told!(
                "when the application may stop: safekit stop -m {module}, then start, on {peer}",
                "quand l'application peut s'arrêter : safekit stop -m {module}, puis start, sur {peer}"
            ));
        }
        Some(Why::PeerUnknown | Why::PeerFirst) | None => waiting_for(e, s, module, peer),
    }
}

/// What only the other node can end.
fn waiting_for(e: &mut Explanation, s: &State, module: &str, peer: &str) {
    match s.why {
        Some(Why::PeerUnknown) if s.peer == Peer::Quiet => {
            e.because(told!(
                "the heartbeats of {peer} are silent, but it is heard on the cluster channel",
                "plus de heartbeat de {peer}, mais il répond sur le canal du cluster"
            ));
            e.advise(told!(
                "check the heartbeat networks and their UDP port: safekit cluster check",
                "vérifiez les réseaux de heartbeat et leur port UDP : safekit cluster check"
            ));
        }
        Some(Why::PeerUnknown) => {
            e.because(told!(
                "waits until {peer} is heard, or silent for the heartbeat timeout",
                "attend que {peer} réponde, ou soit silencieux pendant le timeout de heartbeat"
            ));
        }
        Some(Why::PeerFirst) => {
            e.because(told!(
                "{peer} is better placed to start, or busy",
                "{peer} est mieux placé pour démarrer, ou occupé"
            ));
            e.advise(told!(
                "safekit explain -m {module} on {peer}",
                "safekit explain -m {module} sur {peer}"
            ));
        }
        _ => {
            e.because(told!("waits for {peer} to see its state", "attend que {peer} voie son état"));
        }
    }
}

fn alone(e: &mut Explanation, cfg: &Config, s: &State, module: &str, peer: &str) {
    e.because(told!(
        "primary without secondary: a failure of this node stops the application until {peer} is started",
        "primaire sans secondaire : une panne de ce nœud arrête l'application jusqu'au démarrage de {peer}"
    ));
    if s.degraded {
        e.because(told!(
            "degraded: its replication process failed, no secondary is accepted",
            "dégradé : son processus de réplication a échoué, aucun secondaire n'est accepté"
        ));
        e.advise(told!(
            "when the application may stop: safekit stop -m {module}, then start",
            "quand l'application peut s'arrêter : safekit stop -m {module}, puis start"
        ));
    }
    if s.timer.is_some() {
        e.because(told!(
            "no secondary is accepted while safeguard does not answer",
            "aucun secondaire n'est accepté tant que safeguard ne répond pas"
        ));
        e.advise(Told::same("systemctl status safeguard"));
    }
    if cfg.data && s.record.flag == Flag::Up {
        e.because(told!(
            "only this node has the newest data",
            "seul ce nœud a les données les plus récentes"
        ));
    }
    match &s.peer {
        Peer::Heard { face, .. } if face.role != Role::Stop => {
            e.advise(told!(
                "safekit explain -m {module} on {peer}",
                "safekit explain -m {module} sur {peer}"
            ));
        }
        Peer::Heard { .. } => {
            e.advise(told!("safekit start -m {module} on {peer}", "safekit start -m {module} sur {peer}"));
        }
        _ => {
            e.advise(told!(
                "repair {peer} or its networks: safekit cluster check",
                "réparez {peer} ou ses réseaux : safekit cluster check"
            ));
        }
    }
}

fn said_of_peer(e: &mut Explanation, s: &State, peer: &str) {
    match &s.peer {
        Peer::Unheard => e.because(told!("{peer} was not heard yet", "{peer} n'a pas encore répondu")),
        Peer::Silent => {
            e.because(told!("{peer} is silent on all networks", "{peer} est silencieux sur tous les réseaux"))
        }
        Peer::Quiet => e.because(told!("no heartbeat of {peer}", "plus de heartbeat de {peer}")),
        Peer::Heard { face, .. } => {
            let Face { role, readiness, .. } = face.as_ref();
            let mut shows = told!("{peer} shows {role} {readiness}", "{peer} affiche {role} {readiness}");
            shows += doing(face);
            e.because(shows)
        }
    };
}

fn doing(f: &Face) -> Told {
    match f.posture {
        Posture::Claim => told!(", it wants to become primary", ", il veut devenir primaire"),
        Posture::Leaving => told!(
            ", it stopped the application and waits for our answer",
            ", il a arrêté l'application et attend notre réponse"
        ),
        Posture::TakingOver => told!(", it is taking over", ", il prend le relais"),
        _ => Told::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::table;

    /// Commands are the same in every language; everything else is told in each.
    #[test]
    fn every_state_is_explained_in_every_language() {
        let cfg = table::mirror::config();
        let mirrors = table::mirror::states();
        let mirrors = mirrors.iter().map(|(_, s)| explain(&cfg, s, "web", "node2"));
        let farms = [true, false].map(table::farm::states_of);
        let farms =
            farms.iter().flat_map(|(cfg, states)| states.iter().map(|(_, s)| farm::explain(cfg, s, "web")));
        let mut all = 0;
        for Explanation { reasons, advice, .. } in mirrors.chain(farms) {
            assert!(!reasons.is_empty());
            for told in reasons.iter().chain(&advice) {
                let (en, fr) = (told.of(Lang::En), told.of(Lang::Fr));
                assert!(en != fr || en.starts_with("safekit ") || en.starts_with("systemctl "), "{en}");
                assert_eq!(en.contains("node2"), fr.contains("node2"), "{fr}");
                all += 1;
            }
        }
        assert!(all > 50, "{all}");
    }
}
