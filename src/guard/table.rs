//! The modules that the guard knows, and what each question does to them. Pure: time is an argument,
//! in ns of CLOCK_BOOTTIME.

use super::deadline::Watch;
use super::frame::{Answer, Ask, Fenced, Refusal, Request, Status, Target, VERSION};
use crate::ids::ModuleName;

/// Most modules that are guarded at once.
pub const MAX_MODULES: usize = 64;

/// One module.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub module: ModuleName,
    /// What a fence removes and kills.
    pub target: Target,
    /// How it stands.
    pub standing: Standing,
}

/// How a module stands; a disarmed one has no entry.
#[derive(Clone, Copy, Debug)]
pub enum Standing {
    /// Watched.
    Armed(Watch),
    /// Fenced until it is acknowledged; while the fence is not complete, `retry_at` says when to go on.
    Fenced {
        /// As reported.
        fenced: Fenced,
        /// Next attempt to complete it.
        retry_at: u64,
    },
}

/// All modules.
#[derive(Debug)]
pub struct Table {
    since: u64,
    /// Every module once.
    pub entries: Vec<Entry>,
}

impl Table {
    /// Nothing armed; `since` is the start of this guard.
    pub fn new(since: u64) -> Table {
        Table { since, entries: Vec::new() }
    }

    /// A fence of an earlier life of the guard, which stays until it is acknowledged.
    pub fn restore(&mut self, module: ModuleName, fenced: Fenced) {
        let target = Target { vips: Vec::new(), group: None };
        self.entries.push(Entry {
            module,
            target,
            standing: Standing::Fenced { fenced, retry_at: u64::MAX },
        });
    }

    /// Answers a question read at `now`. One that was sent after its module's deadline finds it fenced,
    /// even when the guard itself was held up and had not yet noticed.
    pub fn answer(&mut self, now: u64, request: Request) -> Answer {
        // A clock that differs, or a mistake, must not postpone a deadline.
        let sent_at = request.sent_at.min(now);
        let (module, done) = match request.ask {
            Ask::Hello { .. } => return Answer::Welcome { version: VERSION, since: self.since },
            // Descriptors are kept elsewhere, see `super::kept`.
            Ask::Keep(..) => return Answer::Refused(Refusal::Malformed),
            Ask::Arm { module, timeout_ms, echoed_at, target } => {
                self.check(&module, sent_at);
                let done = self.arm(&module, timeout_ms, Watch::new(0, sent_at, echoed_at.min(now)), target);
                (module, done)
            }
            Ask::Renew { module, echoed_at } => {
                if let Some(watch) = self.check(&module, sent_at) {
                    watch.renew(sent_at, echoed_at.min(now));
                }
                (module, Ok(()))
            }
            Ask::Disarm(module) => {
                if self.check(&module, sent_at).is_some() {
                    self.entries.retain(|entry| entry.module != module);
                }
                (module, Ok(()))
            }
            Ask::Query(module) => {
                self.check(&module, sent_at);
                (module, Ok(()))
            }
            Ask::Acknowledge(module) => {
                self.check(&module, sent_at);
                self.entries.retain(|entry| entry.module != module || !entry.is_complete());
                (module, Ok(()))
            }
        };
        done.map_or_else(Answer::Refused, |()| Answer::Status(self.status(&module)))
    }

    fn arm(
        &mut self,
        module: &ModuleName,
        timeout_ms: u32,
        news: Watch,
        target: Target,
    ) -> Result<(), Refusal> {
        if timeout_ms == 0 {
            return Err(Refusal::Timeout);
        }
        let timeout = u64::from(timeout_ms) * 1_000_000;
        let full = self.entries.len() >= MAX_MODULES;
        match self.entries.iter_mut().find(|entry| entry.module == *module) {
            Some(Entry { standing: Standing::Armed(watch), target: old, .. }) => {
                watch.renew(news.renewed_at(), news.echoed_at());
                *watch = watch.with_timeout(timeout);
                *old = target;
            }
            // The status tells.
            Some(Entry { standing: Standing::Fenced { .. }, .. }) => {}
            None if full => return Err(Refusal::Full),
            None => {
                let standing = Standing::Armed(news.with_timeout(timeout));
                self.entries.push(Entry { module: module.clone(), target, standing });
            }
        }
        Ok(())
    }

    /// The watch of an armed module whose deadline had not passed at `time`; one whose deadline had is
    /// fenced by this.
    fn check(&mut self, module: &ModuleName, time: u64) -> Option<&mut Watch> {
        let entry = self.entries.iter_mut().find(|entry| entry.module == *module)?;
        entry.expire(time);
        match &mut entry.standing {
            Standing::Armed(watch) => Some(watch),
            Standing::Fenced { .. } => None,
        }
    }

    fn status(&self, module: &ModuleName) -> Status {
        match self.entries.iter().find(|entry| entry.module == *module).map(|entry| entry.standing) {
            None => Status::default(),
            Some(Standing::Armed(_)) => Status { armed: true, fenced: None },
            Some(Standing::Fenced { fenced, .. }) => Status { armed: false, fenced: Some(fenced) },
        }
    }

    /// Fences every module whose deadline is past, and returns those with an incomplete fence that is
    /// to be carried out, or tried again, now.
    pub fn due(&mut self, now: u64) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter_map(move |entry| {
            entry.expire(now);
            let due = matches!(entry.standing,
                Standing::Fenced { fenced, retry_at } if !fenced.complete && retry_at <= now);
            due.then_some(entry)
        })
    }

    /// When [`Table::due`] has something to do next.
    pub fn next_due(&self) -> Option<u64> {
        let next = self.entries.iter().filter_map(|entry| match entry.standing {
            Standing::Armed(watch) => Some(watch.fence_at()),
            Standing::Fenced { fenced, retry_at } => (!fenced.complete).then_some(retry_at),
        });
        next.min()
    }
}

impl Entry {
    /// Fences an armed module whose deadline is not after `time`.
    fn expire(&mut self, time: u64) {
        if let Standing::Armed(watch) = self.standing
            && watch.fence_at() <= time
        {
            let (renewed_at, echoed_at) = (watch.renewed_at(), watch.echoed_at());
            let fenced = Fenced { at: time, renewed_at, echoed_at, complete: false };
            self.standing = Standing::Fenced { fenced, retry_at: 0 };
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self.standing, Standing::Fenced { fenced, .. } if fenced.complete)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
