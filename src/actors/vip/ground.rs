//! What of the kernel is prepared before virtual addresses are set, and put back after they are removed.

use super::VipError;
use crate::farm::{Backend, FarmError, Layout};
use crate::net::addr;
use crate::net::vip::VipPlan;
use crate::node::sysctl::Settings;
use std::sync::{Arc, Mutex, PoisonError};

/// The ground of the addresses of one module; clones are the same one.
#[derive(Clone, Default)]
pub struct Ground {
    settings: Option<Settings>,
    filter: Option<Arc<Mutex<Filter>>>,
}

/// A filter that accepts everything on the one node that has the addresses, under a virtual MAC address.
struct Filter {
    backend: Box<dyn Backend>,
    /// Its layout but for the interfaces, which are looked for when the addresses are set.
    make: MakeLayout,
}

/// Makes the layout of a module on the interfaces that there are.
pub type MakeLayout = Box<dyn Fn(&[addr::Interface]) -> Result<Layout, crate::net::NetError> + Send>;

impl Ground {
    /// For addresses that other nodes have too, or with a virtual MAC address: they need settings of the
    /// kernel.
    pub fn with_settings(settings: Settings) -> Ground {
        Ground { settings: Some(settings), filter: None }
    }

    /// And for a mirror with a virtual MAC address (NET-16): the filter that answers with it. Nobody shares
    /// the clients, so that the layout has no rules.
    pub fn and_filter(self, backend: Box<dyn Backend>, make: MakeLayout) -> Ground {
        Ground { filter: Some(Arc::new(Mutex::new(Filter { backend, make }))), ..self }
    }

    /// Before the addresses are set. Blocks.
    ///
    /// # Errors
    /// An address has no interface; the filter cannot be loaded. Nothing is left then.
    pub(super) fn prepare(&self, plan: &VipPlan) -> Result<(), VipError> {
        if let Some(settings) = &self.settings {
            let wanted = plan.settings()?;
            // The addresses are less safe then, not unusable.
            if let Err(error) = settings.raise(&wanted) {
                tracing::warn!(%error, "a setting of the kernel is not as the virtual addresses need it");
            }
        }
        self.filter(|filter| {
            let layout = (filter.make)(&addr::interfaces()?)?;
            filter.backend.load(&layout, &[])
        })
        .inspect_err(|_| drop(self.clear()))
    }

    /// After the addresses are removed. Blocks.
    ///
    /// # Errors
    /// The filter cannot be removed.
    pub(super) fn clear(&self) -> Result<(), VipError> {
        if let Some(Err(error)) = self.settings.as_ref().map(Settings::put_back) {
            tracing::warn!(%error, "a setting of the kernel is not put back");
        }
        self.filter(|filter| filter.backend.remove())
    }

    fn filter(&self, work: impl FnOnce(&mut Filter) -> Result<(), FarmError>) -> Result<(), VipError> {
        let Some(filter) = &self.filter else { return Ok(()) };
        Ok(work(&mut filter.lock().unwrap_or_else(PoisonError::into_inner))?)
    }
}
