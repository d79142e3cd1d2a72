//! Why a module is in its state, and what an operator can do: from the state itself.

pub mod farm;

use super::generation::Flag;
use super::mirror::{At, Config, Face, Goal, Peer, Posture, State, Waits, Why, difference};
use super::state::Role;

/// Causes, the main one first, and what can be done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Causes; the first is the line that `safekit state` shows.
    pub reasons: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
    /// The first cause is that this failover rule holds the module in WAIT.
    pub rule: Option<String>,
}

impl Explanation {
    fn because(&mut self, reason: impl Into<String>) -> &mut Self {
        self.reasons.push(reason.into());
        self
    }

    fn advise(&mut self, advice: impl Into<String>) -> &mut Self {
        self.advice.push(advice.into());
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
            e.because(format!("wants to become primary and waits until {peer} has seen it"));
        }
        At::Joining | At::Second if !s.promotable => {
            e.because(format!("waits for {peer} to say that this node is in step"));
        }
        At::Joining | At::Second => {
            e.because(format!("secondary of {peer}, in step: it takes over when {peer} stops or is lost"));
        }
        At::Alone => alone(&mut e, cfg, s, module, peer),
        At::Prim => {
            e.because(format!("primary, {peer} is in step and can take over"));
        }
        At::Asking => {
            e.because(format!(
                "primary, {peer} is no longer in step: goes on alone once {peer} agrees or is silent"
            ));
        }
        At::Leaving(Goal::Rejoin) => {
            e.because(format!("the application is stopped here for the swap, {peer} takes over"));
        }
        At::Leaving(_) => {
            e.because(format!("the application is stopped here, waits for the answer of {peer}"));
        }
        At::Moving(m) => {
            let (role, _) = m.shown();
            e.because(format!(
                "on its way to {}: step {} of {}",
                m.to,
                m.at + 1,
                m.todo(cfg.data).len().max(1)
            ));
            if let Some((command, _)) = &s.pending {
                e.because(format!("\"{command}\" follows when {role} is reached"));
            }
            e.advise(format!("safekit logview -A -m {module} shows each step"));
            e.advise("forcestop kills the script that runs");
        }
    }
    said_of_peer(&mut e, s, peer);
    e
}

fn stopped(e: &mut Explanation, clean: bool, module: &str) {
    if !clean {
        e.because("stopped; its last halt was unexpected");
    } else {
        e.because("stopped");
    }
    e.advise(format!("safekit start -m {module}"));
}

/// What a rule has to do with it.
fn rules(e: &mut Explanation, waits: &Waits, module: &str) {
    match waits {
        Waits::Blocked(rule) => {
            e.because(format!("the failover rule {rule} holds it in WAIT"));
            e.rule = Some(rule.clone());
            e.advise(format!(
                "repair what the rule tests: safekit state -v -m {module} shows the resource that is down"
            ));
        }
        Waits::Hold(what) => {
            e.because(format!("waits for the first examination of {what}"));
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
            e.because("its data may be not up to date: only the other node is known to have the newest");
            e.advise(format!("start the module on {peer}: this node then becomes its secondary"));
            e.advise(format!("if you are sure that this node has valid data: safekit stop -m {module}; safekit prim -m {module}"));
        }
        Some(Why::FailoverOff) => {
            e.because("failover is off and this node was not the last primary");
            e.advise(format!(
                "start the module on {peer}, or: safekit stop -m {module}; safekit prim -m {module}"
            ));
        }
        Some(Why::Refused) => {
            let why = s.refusal.as_deref().unwrap_or("refused");
            e.because(format!("its directories could not be reintegrated: {why}"));
            e.advise(format!("repair that, or copy everything: safekit stop -m {module}; safekit rfssync full -m {module}; safekit second -m {module}"));
        }
        Some(Why::Differs) => {
            let theirs = if let Peer::Heard { face, .. } = &s.peer { face.alike } else { None };
            let what = difference(s.alike, theirs).unwrap_or("<rfs>");
            e.because(format!("{peer} has another configuration, {what}: it cannot be its secondary"));
            e.advise(format!("deploy one configuration on both nodes: safekit -H \"*\" -E {module}"));
        }
        Some(Why::Degraded) => {
            e.because(format!("{peer} goes on without replication since its replication process failed"));
            e.advise(format!(
                "when the application may stop: safekit stop -m {module}, then start, on {peer}"
            ));
        }
        Some(Why::PeerUnknown) if s.peer == Peer::Quiet => {
            e.because(format!("the heartbeats of {peer} are silent, but it is heard on the cluster channel"));
            e.advise("check the heartbeat networks and their UDP port: safekit cluster check");
        }
        Some(Why::PeerUnknown) => {
            e.because(format!("waits until {peer} is heard, or silent for the heartbeat timeout"));
        }
        Some(Why::PeerFirst) => {
            e.because(format!("{peer} is better placed to start, or busy"));
            e.advise(format!("safekit explain -m {module} on {peer}"));
        }
        None => {
            e.because(format!("waits for {peer} to see its state"));
        }
    }
}

fn alone(e: &mut Explanation, cfg: &Config, s: &State, module: &str, peer: &str) {
    e.because(format!(
        "primary without secondary: a failure of this node stops the application until {peer} is started"
    ));
    if s.degraded {
        e.because("degraded: its replication process failed, no secondary is accepted");
        e.advise(format!("when the application may stop: safekit stop -m {module}, then start"));
    }
    if s.timer.is_some() {
        e.because("no secondary is accepted while safeguard does not answer");
        e.advise("systemctl status safeguard");
    }
    if cfg.data && s.record.flag == Flag::Up {
        e.because("only this node has the newest data");
    }
    match &s.peer {
        Peer::Heard { face, .. } if face.role != Role::Stop => {
            e.advise(format!("safekit explain -m {module} on {peer}"));
        }
        Peer::Heard { .. } => {
            e.advise(format!("safekit start -m {module} on {peer}"));
        }
        _ => {
            e.advise(format!("repair {peer} or its networks: safekit cluster check"));
        }
    }
}

fn said_of_peer(e: &mut Explanation, s: &State, peer: &str) {
    match &s.peer {
        Peer::Unheard => e.because(format!("{peer} was not heard yet")),
        Peer::Silent => e.because(format!("{peer} is silent on all networks")),
        Peer::Quiet => e.because(format!("no heartbeat of {peer}")),
        Peer::Heard { face, .. } => {
            e.because(format!("{peer} shows {} {}{}", face.role, face.readiness, doing(face)))
        }
    };
}

fn doing(f: &Face) -> &'static str {
    match f.posture {
        Posture::Claim => ", it wants to become primary",
        Posture::Leaving => ", it stopped the application and waits for our answer",
        Posture::TakingOver => ", it is taking over",
        _ => "",
    }
}
