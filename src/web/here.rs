//! This node as its safeadmin shows it, kept at hand: health checks ask hundreds of times a second.
//!
//! One request watches; what it said counts only while it goes on. When safeadmin is gone, or says
//! nothing any more, nothing is known at once.

use super::ask::{Asker, Place};
use super::takeover::Takeovers;
use crate::control::async_client::Piece;
use crate::control::{Access, Behalf, Overview, Reply, Request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Pause before safeadmin is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// safeadmin gives a sign of life every 5 s: after that much silence it hangs.
const SILENCE: Duration = Duration::from_secs(8);
/// Whom the service asks for when nobody is logged in.
const SELF: &str = "safewebserver@localhost";

/// The node. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Here(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    now: watch::Sender<Option<Arc<Overview>>>,
    takeovers: Mutex<Takeovers>,
    kept: AtomicBool,
}

impl Default for Here {
    fn default() -> Self {
        let (now, takeovers) = (watch::Sender::new(None), Mutex::default());
        Here(Arc::new(Inner { now, takeovers, kept: AtomicBool::new(false) }))
    }
}

impl Here {
    /// What it shows; none while safeadmin does not say.
    pub fn now(&self) -> Option<Arc<Overview>> {
        self.0.now.borrow().clone()
    }

    /// Its name in the cluster.
    pub fn node(&self) -> Option<String> {
        self.now()?.node.as_ref().map(ToString::to_string)
    }

    /// The takeovers since the service has begun to look.
    pub fn takeovers(&self) -> Takeovers {
        self.0.takeovers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whom the service itself asks for.
    pub fn behalf() -> Behalf {
        Behalf { user: SELF.to_owned(), access: Access::Monitor }
    }

    /// Begins to watch; once for all clones.
    pub(super) fn keep(&self, asker: &Asker) {
        if self.0.kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (here, asker) = (self.clone(), asker.clone());
        actix_web::rt::spawn(async move {
            loop {
                here.follow(&asker).await;
                here.0.now.send_replace(None);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Follows until safeadmin does not say any more.
    async fn follow(&self, asker: &Asker) {
        let request = Request::Watch { module: None };
        let asked = asker.ask(&Place::Here, Here::behalf(), request, Vec::new()).await;
        let Ok(mut answer) = asked.map(|answer| answer.within(SILENCE)) else { return };
        while let Ok(Some(piece)) = answer.next().await {
            if let Piece::Reply(Reply::Overview(overview)) = piece {
                let mut takeovers = self.0.takeovers.lock().unwrap_or_else(PoisonError::into_inner);
                takeovers.see(&overview);
                drop(takeovers);
                self.0.now.send_replace(Some(Arc::new(overview)));
            }
        }
    }
}
