//! Who logs in and out: in the command log, where an administrator looks (`safekit cmdlog`).

use super::Web;
use super::ask::Place;
use super::auth;
use crate::control::{Access, Behalf, Request, SessionEvent};
use crate::log::Lang;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refused logins are noted no more often: a flood must not wash the log away.
const REFUSED: Duration = Duration::from_secs(5);

/// When a refused login was noted last, and how many were not since.
#[derive(Debug, Default)]
pub struct Audit(Mutex<(Option<Instant>, u32)>);

impl Audit {
    /// What to note of a refused login, if anything.
    fn refused(&self, now: Instant) -> Option<SessionEvent> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0.is_some_and(|at| now.saturating_duration_since(at) < REFUSED) {
            last.1 = last.1.saturating_add(1);
            return None;
        }
        let more = std::mem::take(&mut last.1);
        last.0 = Some(now);
        Some(SessionEvent::Refused { more })
    }
}

/// A session began.
pub(super) fn login(web: &Web, user: &str, address: IpAddr, access: Option<Access>) {
    tracing::info!(user, %address, role = access.map(tracing::field::display), "login");
    note(web, user, address, SessionEvent::Login);
}

/// Its user ended it.
pub(super) fn logout(web: &Web, user: &str, address: IpAddr) {
    tracing::info!(user, %address, "logout");
    note(web, user, address, SessionEvent::Logout);
}

/// A login was refused.
pub(super) fn refused(web: &Web, user: &str, address: IpAddr, why: &dyn std::fmt::Display) {
    web.figures.refused();
    // What is no name could spoil the line.
    let user = if auth::is_name(user) { user } else { "?" };
    tracing::warn!(user, %address, %why, "login refused");
    if let Some(event) = web.audit.refused(Instant::now()) {
        note(web, user, address, event);
    }
}

/// In the background: a login does not wait for the log, and works without safeadmin.
fn note(web: &Web, user: &str, address: IpAddr, event: SessionEvent) {
    let (asker, user) = (web.asker.clone(), auth::at(user, address));
    actix_web::rt::spawn(async move {
        let behalf = Behalf { user, access: Access::Monitor, lang: Lang::En };
        let asked = asker.ask(&Place::Here, behalf, Request::Session(event), Vec::new()).await;
        let noted = match asked {
            Ok(answer) => answer.finish().await.map(drop).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(error) = noted {
            tracing::warn!(error, ?event, "the command log does not know of it");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_that_count_it() {
        let (audit, start) = (Audit::default(), Instant::now());
        assert_eq!(audit.refused(start), Some(SessionEvent::Refused { more: 0 }));
        for _ in 0..1000 {
            assert_eq!(audit.refused(start + REFUSED / 2), None);
        }
        assert_eq!(audit.refused(start + REFUSED), Some(SessionEvent::Refused { more: 1000 }));
    }
}
