//! Every message of the module log as one enum, with its level, origin and texts (spec/messages.md).

mod message;

pub use message::{Level, Message};
