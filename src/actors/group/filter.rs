//! The thread that drives the packet filter: the kernel may take its time, the protocol may not.
//!
//! At most one order of each kind waits: a newer one replaces it.

use super::Group;
use crate::farm::{Backend, FarmError, Layout, Peer};
use crate::fsm::bucket::{Bitmap, Owners, Share};
use crate::net::{MacAddr, addr};
use crate::told::{Tell, Told};
use actix::dev::SendError;
use actix::{Addr, Message};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// After which time an answer that found the actor busy is given again.
const RETRY: Duration = Duration::from_millis(5);

/// What the thread says.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) enum FilterEvent {
    /// The filter is in place.
    Loaded(Loaded),
    /// It cannot be put in place.
    NotLoaded(Told),
    /// An order was carried out, or not.
    Installed(u64, Result<(), FilterError>),
    /// The other nodes are known to it, or not.
    Peers(Result<(), FilterError>),
    /// It was removed.
    Removed(Result<(), Told>),
}

/// Why an order was not carried out.
#[derive(Debug)]
pub(super) enum FilterError {
    /// The guard has withdrawn this node.
    Withdrawn,
    /// What the filter said.
    Failed(Told),
}

/// What was found when the filter was put in place.
#[derive(Debug)]
pub(super) struct Loaded {
    /// By load balancing group: what it accepts already.
    pub adopted: Vec<Bitmap>,
    /// By virtual address: the MAC address of the interface that it is set on.
    pub macs: Vec<(IpAddr, MacAddr)>,
}

/// Where orders go.
pub(super) struct Filter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    load: bool,
    install: Option<(u64, Vec<Share>)>,
    peers: Option<Vec<Peer>>,
    remove: bool,
    end: bool,
}

struct Thread {
    backend: Box<dyn Backend>,
    layout: Layout,
    groups: usize,
    adopt: bool,
    /// The next shares are loaded whole: nothing was loaded by this process, or it was withdrawn.
    whole: bool,
    shared: Arc<Shared>,
    group: Addr<Group>,
}

impl Filter {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        backend: Box<dyn Backend>,
        layout: Layout,
        groups: usize,
        adopt: bool,
        group: Addr<Group>,
    ) -> io::Result<Filter> {
        let shared = Arc::new(Shared::default());
        let mut thread =
            Thread { backend, layout, groups, adopt, whole: true, shared: shared.clone(), group };
        thread::Builder::new().name("farm filter".to_owned()).spawn(move || thread.run())?;
        Ok(Filter(shared))
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.0.lock());
        self.0.changed.notify_one();
    }

    /// Puts the filter in place.
    pub fn load(&self) {
        self.order(|orders| orders.load = true);
    }

    /// Other shares.
    pub fn install(&self, order: u64, shares: Vec<Share>) {
        self.order(|orders| orders.install = Some((order, shares)));
    }

    /// Other nodes.
    pub fn peers(&self, peers: Vec<Peer>) {
        self.order(|orders| orders.peers = Some(peers));
    }

    /// Removes the filter.
    pub fn remove(&self) {
        self.order(|orders| {
            *orders = Orders { remove: true, end: orders.end, ..Orders::default() };
        });
    }
}

impl Drop for Filter {
    /// The thread ends when it has carried out what waits; the filter stays.
    fn drop(&mut self) {
        self.order(|orders| orders.end = true);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done next; waits for it.
    fn next(&self) -> Orders {
        let idle =
            |o: &mut Orders| !o.load && o.install.is_none() && o.peers.is_none() && !o.remove && !o.end;
        let mut orders = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *orders)
    }
}

impl Thread {
    fn run(&mut self) {
        loop {
            let orders = self.shared.next();
            if orders.load {
                let event = self.load();
                self.answer(event);
            }
            if let Some(peers) = orders.peers {
                self.layout.peers.clone_from(&peers);
                // What is loaded whole has them.
                let done = if self.whole { Ok(()) } else { self.backend.peers(&peers) };
                let done = self.judge(done);
                self.answer(FilterEvent::Peers(done));
            }
            if let Some((order, shares)) = orders.install {
                let done = self.install(&shares);
                self.answer(FilterEvent::Installed(order, done));
            }
            if orders.remove {
                let done = self.backend.remove().map_err(|error| error.told());
                self.whole = true;
                self.answer(FilterEvent::Removed(done));
            }
            if orders.end {
                return;
            }
        }
    }

    fn load(&mut self) -> FilterEvent {
        let macs = match self.macs() {
            Ok(macs) => macs,
            Err(error) => return FilterEvent::NotLoaded(error.told()),
        };
        // What is not there cannot be gone on with.
        if self.adopt
            && let Ok(adopted) = self.backend.shown(self.groups)
        {
            return FilterEvent::Loaded(Loaded { adopted, macs });
        }
        let nothing = vec![Share::settled(Owners::NOBODY); self.groups];
        match self.backend.load(&self.layout, &nothing) {
            Ok(()) => {
                self.whole = false;
                FilterEvent::Loaded(Loaded { adopted: vec![Bitmap::EMPTY; self.groups], macs })
            }
            Err(error) => FilterEvent::NotLoaded(error.told()),
        }
    }

    fn macs(&self) -> Result<Vec<(IpAddr, MacAddr)>, crate::net::NetError> {
        let interfaces = addr::interfaces()?;
        let mac = |device: &str| interfaces.iter().find(|i| i.name == device).and_then(|i| i.mac);
        Ok(self.layout.vips.iter().filter_map(|vip| Some((vip.addr, mac(&vip.device)?))).collect())
    }

    fn install(&mut self, shares: &[Share]) -> Result<(), FilterError> {
        let done = match self.whole {
            true => self.backend.load(&self.layout, shares),
            false => self.backend.switch(shares),
        };
        if done.is_ok() {
            self.whole = false;
        }
        self.judge(done)
    }

    /// A filter that the guard has withdrawn is loaded whole again.
    fn judge(&mut self, done: Result<(), FarmError>) -> Result<(), FilterError> {
        done.map_err(|error| match error {
            FarmError::Withdrawn { .. } => {
                self.whole = true;
                FilterError::Withdrawn
            }
            error => FilterError::Failed(error.told()),
        })
    }

    /// The actor may be busy for a moment; one that has ended needs no answer.
    fn answer(&self, mut event: FilterEvent) {
        while let Err(SendError::Full(back)) = self.group.try_send(event) {
            event = back;
            thread::sleep(RETRY);
        }
    }
}
