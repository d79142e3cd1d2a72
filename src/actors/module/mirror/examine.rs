//! What lasts in the replication: comparisons that somebody waits for (RFS-61, RFS-62), and how far a
//! reintegration is.

use super::Mirror;
use crate::actors::module::{Examination, Examine, Module, News, name};
use crate::actors::replication::Give;
use crate::fsm::resource::Value;
use crate::fsm::state::{Readiness, Role};
use crate::rfs::control::{Fault, Measure, Order};
use crate::told::{Told, told};
use actix::prelude::*;
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Numbers of comparisons begin here: those of effects are counted from 0.
const FIRST: u64 = 1 << 62;
/// Comparisons at a time.
const MOST: usize = 4;

/// Comparisons under way, and who waits for each.
#[derive(Default)]
pub(super) struct Examinations {
    waiting: std::collections::BTreeMap<u64, mpsc::Sender<News>>,
    given: u64,
}

impl Handler<Examine> for Module<Mirror> {
    type Result = Result<(), Told>;

    fn handle(&mut self, Examine(what, to): Examine, _: &mut Self::Context) -> Self::Result {
        let (role, readiness) = self.state.shown();
        let (command, wanted, order) = match what {
            Examination::Verify => ("rfsverify", Role::Second, Order::Verify),
            Examination::Diff => ("rfsdiff", Role::Alone, Order::Diff),
        };
        if (role, readiness) != (wanted, Readiness::Ready) {
            return Err(told!(
                "safekit {command} is for the node in {wanted} Ready; here the module is {role} {readiness}",
                "safekit {command} est pour le nœud en {wanted} Ready ; ici, le module est {role} {readiness}"
            ));
        }
        self.own.examinations.waiting.retain(|_, to| !to.is_closed());
        if self.own.examinations.waiting.len() >= MOST {
            return Err(told!(
                "{MOST} comparisons run already: wait for their end",
                "{MOST} comparaisons sont déjà en cours : attendez leur fin"
            ));
        }
        let id = self.examination(order)?;
        self.own.examinations.waiting.insert(id, to);
        Ok(())
    }
}

impl Module<Mirror> {
    /// Gives an order that no effect waits for; its number.
    fn examination(&mut self, order: Order) -> Result<u64, Told> {
        self.own.examinations.given += 1;
        let id = FIRST + self.own.examinations.given;
        let sent = self.own.replication.as_ref().map(|r| r.try_send(Give { id, order }).is_ok());
        if sent == Some(true) {
            Ok(id)
        } else {
            Err(told!("the replication is busy: try again", "la réplication est occupée : réessayez"))
        }
    }

    /// Passes on what a comparison says. Who does not wait any more ends it.
    pub(super) fn examined(&mut self, id: u64, news: News) {
        let Some(to) = self.own.examinations.waiting.get(&id) else { return };
        let gone = match news {
            // A slow reader misses how far it was, and nothing else.
            News::Progress(_) if to.capacity() < to.max_capacity() / 2 => to.is_closed(),
            news => to.try_send(news).is_err(),
        };
        if gone {
            self.own.examinations.waiting.remove(&id);
            if let Err(why) = self.examination(Order::Cancel { of: id }) {
                tracing::warn!(%why, "a comparison that nobody waits for goes on");
            }
        }
    }

    /// The end of an order that no effect waits for. True: it was one.
    pub(super) fn examination_done(&mut self, id: u64, result: &Result<(), Fault>) -> bool {
        if id < FIRST {
            return false;
        }
        if let Some(to) = self.own.examinations.waiting.remove(&id) {
            let result = result.clone().map_err(|(Fault::Again(why) | Fault::Refused(why))| Told::same(why));
            // Who is gone misses it.
            drop(to.try_send(News::End(result)));
        }
        true
    }

    /// How far the reintegration is, as resources and for those who look on. It changes every second: it has
    /// no history, and the peer is not told.
    pub(super) fn progress(&mut self, measure: Option<Measure>) {
        let value = |m: &Measure, id| match id {
            "rei_files" => format!("{}/{}", m.done, m.known),
            "rei_copied" => (m.copied >> 10).to_string(),
            _ => m.left.map_or("unknown".to_owned(), |left| left.to_string()),
        };
        for id in ["rei_files", "rei_copied", "rei_left"] {
            let resource = name("rfs", id);
            match &measure {
                Some(m) => drop(self.values.insert(resource, (Value::Text(value(m, id)), Timestamp::now()))),
                None => drop(self.values.remove(&resource)),
            }
        }
        self.shown.send_if_modified(|shown| std::mem::replace(&mut shown.progress, measure) != measure);
    }
}
