//! What of the kernel is prepared before virtual addresses are set, and put back after they are removed.

use super::VipError;
use crate::net::vip::VipPlan;
use crate::node::sysctl::Settings;

/// The ground of the addresses of one module.
#[derive(Clone, Default)]
pub struct Ground {
    settings: Option<Settings>,
}

impl Ground {
    /// For addresses that other nodes have too, or with a virtual MAC address: they need settings of the
    /// kernel.
    pub fn with_settings(settings: Settings) -> Ground {
        Ground { settings: Some(settings) }
    }

    /// Before the addresses are set. Blocks.
    ///
    /// # Errors
    /// An address has no interface.
    pub(super) fn prepare(&self, plan: &VipPlan) -> Result<(), VipError> {
        let Some(settings) = &self.settings else { return Ok(()) };
        let wanted = plan.settings()?;
        // The addresses are less safe then, not unusable.
        if let Err(error) = settings.raise(&wanted) {
            tracing::warn!(%error, "a setting of the kernel is not as the virtual addresses need it");
        }
        Ok(())
    }

    /// After the addresses are removed. Blocks.
    pub(super) fn clear(&self) {
        if let Some(Err(error)) = self.settings.as_ref().map(Settings::put_back) {
            tracing::warn!(%error, "a setting of the kernel is not put back");
        }
    }
}
