//! The windows in which checkers run (ST-98).

use super::{Kind, Module};
use crate::actors::checkers::plan::{self, Surroundings};
use crate::actors::checkers::{CheckerReport, Stop};
use crate::config::module::{Check, When};
use crate::fsm::instance::Window;
use crate::fsm::resource::{ResourceName, Value};
use crate::node::environment;
use actix::Recipient;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A checker with its resource, which is found out once at launch.
#[derive(Clone)]
pub struct Planned {
    /// The checker.
    pub check: Check,
    /// What it sets.
    pub resource: ResourceName,
}

/// Checkers of a module and those that run.
pub struct Windows {
    planned: Vec<Planned>,
    /// Running checkers by window, and the epoch of each resource.
    open: BTreeMap<Window, Vec<Recipient<Stop>>>,
    epochs: BTreeMap<ResourceName, u64>,
    report: Recipient<CheckerReport>,
    count: u64,
}

impl Windows {
    /// No window is open.
    pub fn new(planned: Vec<Planned>, report: Recipient<CheckerReport>) -> Windows {
        Windows { planned, open: BTreeMap::new(), epochs: BTreeMap::new(), report, count: 0 }
    }

    /// Resources of all checkers.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceName> {
        self.planned.iter().map(|p| &p.resource)
    }

    /// Whether a report comes from a checker that runs now.
    pub fn is_current(&self, report: &CheckerReport) -> bool {
        self.epochs.get(&report.resource) == Some(&report.epoch)
    }

    fn close(&mut self, window: Window) -> Vec<ResourceName> {
        for checker in self.open.remove(&window).unwrap_or_default() {
            drop(checker.try_send(Stop));
        }
        let closed: Vec<_> = self
            .planned
            .iter()
            .filter(|p| window_of(p.check.when()) == window)
            .map(|p| p.resource.clone())
            .collect();
        for resource in &closed {
            self.epochs.remove(resource);
        }
        closed
    }
}

fn window_of(when: When) -> Window {
    match when {
        When::Pre => Window::Pre,
        When::Prim => Window::Prim,
        When::Second => Window::Second,
        When::Both => Window::Both,
    }
}

impl<K: Kind> Module<K> {
    /// Opens or closes a window. Resources of closed checkers are examined by nobody: init (RES-56).
    pub(super) fn window(&mut self, window: Window, on: bool) {
        for resource in self.windows.close(window) {
            self.begun.remove(&resource);
            self.assign(&resource, Value::Init);
        }
        if !on || !self.checkers_on {
            // An open window without checkers is remembered, for `checker on`.
            if on {
                self.windows.open.insert(window, Vec::new());
            }
            return;
        }
        self.windows.count += 1;
        let around = self.surroundings();
        let planned = self.windows.planned.clone();
        let mut running = Vec::new();
        for p in planned.into_iter().filter(|p| window_of(p.check.when()) == window) {
            self.windows.epochs.insert(p.resource.clone(), around.epoch);
            running.extend(plan::start(&p.check, p.resource, &around));
        }
        self.windows.open.insert(window, running);
    }

    /// After a restart of safeadmin: the windows of the role are open again.
    pub(super) fn adopt_windows(&mut self) {
        for window in K::windows(&self.state) {
            self.window(window, true);
        }
    }

    /// `checker on|off` (CLI-066, ST-79b).
    pub(super) fn switch_checkers(&mut self, on: bool) {
        self.checkers_on = on;
        let open: Vec<Window> = self.windows.open.keys().copied().collect();
        for window in open {
            self.window(window, true);
        }
        let value = Value::Text(if on { "on" } else { "off" }.to_owned());
        self.assign(&super::name("usersetting", "checker"), value);
    }

    fn surroundings(&self) -> Surroundings {
        let vars = self.setup.config.user.as_ref().map(|u| u.vars.clone()).unwrap_or_default();
        let group = self.groups.checkers.clone();
        Surroundings {
            epoch: self.windows.count,
            module: self.setup.name.clone(),
            cacert: self.setup.paths.web_conf().join("cacert.crt"),
            userbin: self.setup.paths.userbin(&self.setup.name),
            env: environment::of_module(&self.setup.paths, &self.setup.name, &vars).into_iter().collect(),
            enter: Rc::new(move |command| group.enter(command).map_err(std::io::Error::other)),
            report: self.windows.report.clone(),
        }
    }
}
