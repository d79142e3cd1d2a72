//! The failover rule language and the failover machine.
