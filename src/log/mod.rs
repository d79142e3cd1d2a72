//! Every message of the module log as one enum, with its level, origin and texts (spec/messages.md);
//! the system journal, and the log files of scripts.

mod english;
mod filter;
mod french;
mod message;
pub mod syslog;
pub mod userlog;

#[cfg(test)]
mod tests;

pub use filter::{LogFilter, LogPage};
pub use message::{BadLevel, Lang, Level, Message};
