//! This node as its safeadmin shows it, kept at hand: health checks ask hundreds of times a second.
//!
//! It is what the consoles look at too: one request watches for all. What it said counts only while it goes
//! on. When safeadmin is gone, or says nothing any more, nothing is known at once.

use super::ask::{Asker, Place};
use super::events::{Feed, Hub};
use super::takeover::Takeovers;
use crate::control::{Access, Behalf, Overview};
use crate::lock::lock;
use crate::log::Lang;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// Whom the service asks for when nobody is logged in.
const SELF: &str = "safewebserver@localhost";

/// The node. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Here(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    feed: OnceLock<watch::Receiver<Feed<Overview>>>,
    takeovers: Mutex<Takeovers>,
}

impl Here {
    /// What it shows; none while safeadmin does not say.
    pub fn now(&self) -> Option<Arc<Overview>> {
        self.0.feed.get()?.borrow().living()
    }

    /// Its name in the cluster.
    pub fn node(&self) -> Option<String> {
        self.now()?.node.as_ref().map(ToString::to_string)
    }

    /// The takeovers since the service has begun to look.
    pub fn takeovers(&self) -> Takeovers {
        lock(&self.0.takeovers).clone()
    }

    /// Whom the service itself asks for.
    pub fn behalf() -> Behalf {
        Behalf { user: SELF.to_owned(), access: Access::Monitor, lang: Lang::En }
    }

    /// Begins to watch; once for all clones.
    pub(super) fn keep(&self, hub: &Hub, asker: &Asker) {
        let mut feed = hub.node(&Place::Here, Lang::En);
        if self.0.feed.set(feed.clone()).is_err() {
            return;
        }
        let (here, asker) = (self.clone(), asker.clone());
        actix_web::rt::spawn(async move {
            let mut before = None;
            loop {
                let now = feed.borrow_and_update().living();
                if let Some(now) = &now {
                    lock(&here.0.takeovers).see(now);
                }
                let cluster = now.map(|now| (now.node.clone(), now.cluster.clone()));
                if cluster.is_none() || cluster != before {
                    asker.forget_nodes();
                }
                before = cluster;
                if feed.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}
