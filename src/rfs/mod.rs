//! The data plane of replication (DESIGN 7): a FUSE file system over each replicated directory of a
//! module, the ordered stream of its modifications to the secondary, the zones that changed without
//! one, and reintegration. It runs in the process `rfsbox`, on plain threads, and takes no decision
//! about roles: those come as orders.

pub mod apply;
pub mod control;
pub mod fuse;
pub mod journal;
pub mod ledger;
pub mod link;
pub mod op;
pub mod probe;
pub mod receiver;
pub mod replicator;
pub mod rescue;
pub mod resync;
pub mod service;
pub mod tree;
pub mod volume;
pub mod wire;
pub mod zones;
