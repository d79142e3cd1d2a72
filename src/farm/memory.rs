//! A packet filter that filters nothing, for the tests of those who drive one.

use super::{Backend, FarmError, Layout, Peer};
use crate::fsm::bucket::{Bitmap, Share};
use crate::net::NetError;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What it was told. Clones share it, so a test keeps one and gives the other away.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Held>>);

/// What a [`Memory`] holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The layout, while one is loaded.
    pub layout: Option<Layout>,
    /// The shares, one for each group.
    pub shares: Vec<Share>,
    /// How often something was changed.
    pub changes: usize,
    /// While set, every change fails with this text.
    pub refuse: Option<String>,
}

impl Memory {
    /// A look at it, and a way to let it refuse.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Held) -> Result<(), FarmError>) -> Result<(), FarmError> {
        let mut held = self.held();
        if let Some(text) = &held.refuse {
            return Err(failed(text.clone()));
        }
        change(&mut held)?;
        held.changes += 1;
        Ok(())
    }
}

impl Held {
    fn layout(&self) -> Result<&Layout, FarmError> {
        self.layout.as_ref().ok_or_else(|| failed("nothing is loaded".to_owned()))
    }
}

fn failed(text: String) -> FarmError {
    NetError::system("change the packet filter", io::Error::other(text)).into()
}

impl Backend for Memory {
    fn load(&mut self, layout: &Layout, shares: &[Share]) -> Result<(), FarmError> {
        self.change(|held| {
            layout.check(shares.len())?;
            held.layout = Some(layout.clone());
            held.shares = shares.to_vec();
            Ok(())
        })
    }

    fn switch(&mut self, shares: &[Share]) -> Result<(), FarmError> {
        self.change(|held| {
            held.layout()?.check(shares.len())?;
            held.shares = shares.to_vec();
            Ok(())
        })
    }

    fn peers(&mut self, peers: &[Peer]) -> Result<(), FarmError> {
        self.change(|held| {
            let layout = Layout { peers: peers.to_vec(), ..held.layout()?.clone() };
            held.layout = Some(layout);
            Ok(())
        })
    }

    fn remove(&mut self) -> Result<(), FarmError> {
        self.change(|held| {
            held.layout = None;
            held.shares.clear();
            Ok(())
        })
    }

    fn shown(&mut self, groups: usize) -> Result<Vec<Bitmap>, FarmError> {
        let held = self.held();
        let layout = held.layout()?;
        let own = |group| held.shares.get(group).map_or(Bitmap::EMPTY, |share| layout.own(share));
        Ok((0..groups).map(own).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::farm::LayoutVip;
    use crate::fsm::bucket::{Owners, Reach};

    #[test]
    fn it_remembers_and_refuses() {
        let mut memory = Memory::default();
        let seen = memory.clone();
        let layout = Layout {
            module: "farm".parse().unwrap(),
            me: 1,
            vips: vec![LayoutVip {
                addr: "10.0.0.100".parse().unwrap(),
                device: "eth0".to_owned(),
                reach: Reach::Every,
                vmac: None,
            }],
            rules: Vec::new(),
            peers: Vec::new(),
            keep: true,
        };
        assert!(memory.shown(1).is_err(), "nothing is loaded");
        assert!(memory.switch(&[]).is_err());
        let half = Share::settled(Owners::new(|b| Some(usize::from(b < 128))));
        memory.load(&layout, std::slice::from_ref(&half)).unwrap();
        assert_eq!(memory.shown(1).unwrap(), [(0..128).collect::<Bitmap>()]);
        seen.held().refuse = Some("full".to_owned());
        let error = memory.switch(&[Share::settled(Owners::NOBODY)]).unwrap_err();
        assert_eq!(error.to_string(), "cannot change the packet filter: full");
        let held = seen.held();
        assert_eq!((held.changes, held.shares.as_slice()), (1, [half].as_slice()), "unchanged");
    }
}
