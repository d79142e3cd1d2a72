//! How often the modules of this node took over, and how long that lasted: seen in their states.

use crate::control::Overview;
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use std::collections::BTreeMap;

/// Takeovers of a module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// How often a SECOND became ALONE, or PRIM by a swap.
    pub count: u64,
    /// How long the last one took until the module was Ready, seconds.
    pub last: Option<f64>,
    role: Option<(Role, Readiness)>,
    /// Begin of the one under way, Unix time in milliseconds.
    begun: Option<i64>,
}

/// Takeovers of all modules.
#[derive(Clone, Debug, Default)]
pub struct Takeovers(BTreeMap<ModuleName, Row>);

impl Takeovers {
    /// By module.
    pub fn rows(&self) -> impl Iterator<Item = (&ModuleName, &Row)> {
        self.0.iter()
    }

    /// Compares with what was before.
    pub fn see(&mut self, now: &Overview) {
        self.0.retain(|module, _| now.modules.iter().any(|m| m.module == *module));
        for module in &now.modules {
            let row = self.0.entry(module.module.clone()).or_default();
            row.see(module.role, module.readiness, now.time);
        }
    }
}

impl Row {
    fn see(&mut self, role: Role, readiness: Readiness, time: i64) {
        let primary = matches!(role, Role::Alone | Role::Prim);
        if primary && matches!(self.role, Some((Role::Second, _))) {
            self.count += 1;
            self.begun = Some(time);
        }
        match self.begun {
            Some(begun) if primary && readiness == Readiness::Ready => {
                self.last = Some((time - begun).max(0) as f64 / 1000.0);
                self.begun = None;
            }
            Some(_) if !primary => self.begun = None,
            _ => {}
        }
        self.role = Some((role, readiness));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_lasts_until_ready() {
        let mut row = Row::default();
        for (role, readiness, time) in [
            (Role::Second, Readiness::Ready, 0),
            (Role::Alone, Readiness::Transient, 1000),
            (Role::Alone, Readiness::Transient, 1200),
            (Role::Alone, Readiness::Ready, 1750),
            (Role::Prim, Readiness::Ready, 9000),
        ] {
            row.see(role, readiness, time);
        }
        assert_eq!((row.count, row.last), (1, Some(0.75)));
    }

    #[test]
    fn a_start_is_none_and_a_failed_one_has_no_duration() {
        let mut row = Row::default();
        row.see(Role::Wait, Readiness::Transient, 0);
        row.see(Role::Prim, Readiness::Ready, 500);
        assert_eq!((row.count, row.last), (0, None));
        row.see(Role::Second, Readiness::Ready, 600);
        row.see(Role::Alone, Readiness::Transient, 700);
        row.see(Role::Stop, Readiness::NotReady, 800);
        row.see(Role::Alone, Readiness::Ready, 900);
        assert_eq!((row.count, row.last), (1, None));
    }
}
