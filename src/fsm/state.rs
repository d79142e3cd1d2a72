//! Roles and readiness as every user sees them (ST-01, ST-02).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Role of a module on a node (ST-01).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Ready to start.
    Stop,
    /// Waits for a resource or for its peer.
    Wait,
    /// Primary without secondary.
    Alone,
    /// Primary with a secondary.
    Prim,
    /// Secondary of a primary.
    Second,
    /// Farm or light module that runs.
    Up,
}

/// Stability shown beside the role (ST-02).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Readiness {
    /// Blocked.
    NotReady,
    /// Moving.
    Transient,
    /// Stable.
    Ready,
}

impl Role {
    /// Exit code of `safekit state -lq` (CLI-052).
    pub fn exit_code(self) -> i32 {
        match self {
            Role::Stop => 0,
            Role::Wait => 1,
            Role::Alone | Role::Up => 2,
            Role::Prim => 3,
            Role::Second => 4,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Stop => "STOP",
            Role::Wait => "WAIT",
            Role::Alone => "ALONE",
            Role::Prim => "PRIM",
            Role::Second => "SECOND",
            Role::Up => "UP",
        })
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Readiness::NotReady => "NotReady",
            Readiness::Transient => "Transient",
            Readiness::Ready => "Ready",
        })
    }
}
