//! Frames, versions and sealing of the datagrams between nodes (DESIGN S13; `docs/wire.md`).
//!
//! [`codec`] knows the frame, [`seal`] makes it authentic, [`channel`] keeps replays out. All of it
//! is pure: bytes and random numbers come in, bytes and verdicts go out.

pub mod channel;
pub mod codec;
mod seal;

#[cfg(test)]
mod tests;

pub use channel::{Channel, Opened, Reason, Received};
pub use codec::{Kind, MAX_PAYLOAD, WireError, decode, encode};
