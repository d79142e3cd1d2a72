//! What the effects of the automaton do to the kernel, the disk and the guard of a node.

use crate::node::{Guard, TIMEOUT, Work};
use crate::plane::{NAMES, NS, brief};
use crate::world::{Happening, Planted, World};
use safekit::fsm::generation::Record;
use safekit::fsm::mirror::{Effect, Event, Timer};
use safekit::fsm::scripts::Script;
use safekit::guard::deadline;
use safekit::told::Told;

impl World {
    pub fn act(&mut self, x: usize, effect: Effect) {
        self.say(|| format!("{} -> {}", NAMES[x], brief(&effect)));
        let quick = self.rng.range(1, 20);
        match effect {
            Effect::Log(_) => {}
            Effect::Store(id, record) => self.store(x, id, record),
            Effect::Script(id, call) => self.script(x, id, call.script),
            Effect::VipOn(id) => self.work(x, id, quick, Work::VipOn),
            Effect::VipOff(id) => self.work(x, id, quick, Work::VipOff),
            Effect::Kill { id, .. } => self.work(x, id, quick, Work::Kill),
            Effect::Arm(id) => self.work(x, id, quick, Work::Arm),
            Effect::Disarm(id) => self.work(x, id, quick, Work::Disarm),
            Effect::Reintegrate { id, .. } => {
                self.begin_copy(x);
                let ms = self.rng.range(50, 1500);
                self.work(x, id, ms, Work::Data(effect));
            }
            Effect::Drain(id) => {
                let ms = self.rng.range(1, 300);
                self.work(x, id, ms, Work::Data(effect));
            }
            // Refused at once, and not waited for, under a broken stream.
            Effect::ReadOnly(id) if !self.nodes[x].awaits(id) => {
                self.order_data(x, &effect);
            }
            Effect::Mount(id)
            | Effect::Unmount(id)
            | Effect::Writable(id, ..)
            | Effect::ReadOnly(id)
            | Effect::MarkDirty(id)
            | Effect::Release(id, _) => self.work(x, id, quick, Work::Data(effect)),
            Effect::Checkers(window, on) => {
                let windows = &mut self.nodes[x].windows;
                if on {
                    windows.insert(window)
                } else {
                    windows.remove(&window)
                };
                self.nodes[x].check_resources();
            }
            Effect::Timer(id, timer) => {
                let ms = match timer {
                    Timer::Answer => TIMEOUT,
                    Timer::Retry => 1000,
                    Timer::Swap => 2 * TIMEOUT,
                };
                let n = &self.nodes[x];
                let (ms, life) = (n.real(ms), n.life);
                self.after(ms, Happening::Timer(x, life, id));
            }
            Effect::KillScript(id) => {
                if self.nodes[x].script.is_some_and(|(of, _)| of == id) {
                    self.nodes[x].script = None;
                    self.after(1, Happening::ScriptEnded(x, id, false));
                }
            }
            Effect::ResetRules => self.nodes[x].machine.reset(),
            Effect::Failover(on) => self.nodes[x].failover = on,
            Effect::Reboot => self.check.bad("a reboot that nobody configured"),
        }
    }

    fn work(&mut self, x: usize, id: u64, ms: u64, work: Work) {
        let ok = !self.rng.percent(if self.quiet { 0 } else { self.flaky / 2 });
        let life = self.nodes[x].life;
        self.nodes[x].works.push((id, work));
        self.after(ms, Happening::Finish(x, life, id, ok));
    }

    /// Records become durable one after the other.
    fn store(&mut self, x: usize, id: u64, record: Record) {
        let slow = self.nodes[x].disk_slow;
        let ms = if slow { self.rng.range(200, 2 * TIMEOUT) } else { self.rng.range(1, 25) };
        let n = &mut self.nodes[x];
        let at = n.disk_free.max(self.now) + ms;
        n.disk_free = at;
        let life = n.life;
        n.works.push((id, Work::Store(record)));
        self.after(at - self.now, Happening::Finish(x, life, id, true));
    }

    fn script(&mut self, x: usize, id: u64, script: Script) {
        if let Some((_, other)) = self.nodes[x].script {
            self.check.bad(&format!("{script} begins while {other} runs"));
        }
        let long = if self.profile.heavy && !self.quiet { 3000 } else { 150 };
        let ms = if self.rng.percent(20) { self.rng.range(5, long) } else { self.rng.range(5, 60) };
        let ok = self.quiet || !self.rng.percent(self.flaky);
        let n = &mut self.nodes[x];
        n.script = Some((id, script));
        if script == Script::StartPrim {
            n.app = true;
        }
        let boot = n.boot;
        self.after(ms, Happening::ScriptEnds(x, boot, id, ok));
    }

    pub fn script_ends(&mut self, x: usize, boot: u64, id: u64, ok: bool) {
        let n = &mut self.nodes[x];
        if n.boot != boot || n.frozen || n.script.is_none_or(|(of, _)| of != id) {
            return;
        }
        if let Some((_, script)) = n.script.take()
            && script == Script::StopPrim
            && ok
        {
            n.app = false;
        }
        self.after(0, Happening::ScriptEnded(x, id, ok));
    }

    /// A work of the control plane ends: it takes effect and is answered.
    pub fn finish(&mut self, x: usize, id: u64, ok: bool) {
        let n = &mut self.nodes[x];
        let Some(i) = n.works.iter().position(|w| w.0 == id) else { return };
        let (_, work) = n.works.remove(i);
        let mut result = if ok { Ok(()) } else { Err(Told::same("it failed")) };
        match work {
            Work::Store(record) => n.disk = record,
            // What is no longer awaited was cancelled; the other works do no harm late.
            _ if !n.awaits(id) => return,
            Work::VipOn if n.fenced => result = Err(Told::same("fenced")),
            Work::Data(effect) if !ok => self.order_fails(x, &effect),
            _ if !ok => {}
            Work::Data(effect) => {
                let Some(done) = self.order_data(x, &effect) else {
                    // The copy goes on when the stream is back.
                    self.work(x, id, 300, Work::Data(effect));
                    return;
                };
                result = done.map_err(Told::same);
                self.say_stream(x);
            }
            work => self.apply(x, &work),
        }
        self.feed(x, Event::Done(id, result));
    }

    /// What a work does to the kernel of the node.
    pub fn apply(&mut self, x: usize, work: &Work) {
        let clock = self.nodes[x].clock(self.now);
        let n = &mut self.nodes[x];
        match work {
            Work::Store(record) => n.disk = record.clone(),
            Work::VipOn => n.vip = !n.fenced,
            Work::VipOff => n.vip = false,
            Work::Kill => {
                n.app = false;
                n.script = None;
            }
            Work::Arm => {
                let echoed = n.watch.newest_echoed().unwrap_or(0) * NS;
                let deadline = deadline::Watch::new(TIMEOUT * NS, clock * NS, echoed);
                n.guard = Some(Guard { deadline });
                n.fenced = false;
                let boot = n.boot;
                self.guard_looks(x, boot);
            }
            Work::Disarm => {
                n.guard = None;
                n.fenced = false;
            }
            Work::Data(effect) => {
                self.order_data(x, effect);
            }
        }
    }

    /// The guard looks at its clock, and again when the fence falls unless it is renewed.
    pub fn guard_looks(&mut self, x: usize, boot: u64) {
        let clock = self.nodes[x].clock(self.now);
        let n = &mut self.nodes[x];
        let Some(g) = &mut n.guard else { return };
        if n.boot != boot || n.frozen || !n.power {
            return;
        }
        let at = g.deadline.fence_at() / NS;
        if clock >= at {
            self.fence(x);
            return;
        }
        let ms = n.real(at - clock);
        self.after(ms, Happening::Guard(x, boot));
    }

    pub fn fence(&mut self, x: usize) {
        if self.profile.planted == Some(Planted::Guard) {
            return;
        }
        let n = &mut self.nodes[x];
        n.fence();
        if let Some((id, _)) = n.script.take() {
            self.after(1, Happening::ScriptEnded(x, id, false));
        }
        self.say(|| format!("{} is fenced", NAMES[x]));
    }
}
