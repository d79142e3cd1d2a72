//! The way of an answer to the user: a bounded queue and the task that empties it.

use super::frame::{self, FrameError, Kind};
use super::{FailureKind, Reply};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Frames that wait for a slow reader.
const QUEUE: usize = 32;
/// Time that a reader may take for one frame before it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sign of life while a command is under way.
const ALIVE: Duration = Duration::from_secs(5);

/// The user has gone away, or was dropped for reading too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user of the command has gone away")]
pub struct Gone;

/// Where a backend puts its answer. Waits for a slow reader, 10 s a frame at most.
#[derive(Clone, Debug)]
pub struct ReplySink(mpsc::Sender<Vec<u8>>);

/// The other end of the queue.
pub(super) struct Outlet(mpsc::Receiver<Vec<u8>>);

/// A queue for one answer.
pub(super) fn channel() -> (ReplySink, Outlet) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (ReplySink(sender), Outlet(receiver))
}

impl ReplySink {
    /// Sends one piece. One that does not fit in a frame is replaced by an error text.
    pub async fn send(&self, reply: Reply) -> Result<(), Gone> {
        let bytes = frame::encode_json(&reply).or_else(|error| {
            tracing::warn!(%error, "an answer cannot be sent");
            frame::encode_json(&Reply::error(
                FailureKind::Failed,
                format!("the answer cannot be sent: {error}"),
            ))
        });
        self.push(bytes).await
    }

    /// Sends the attachment of the answer, 64 MiB at most.
    pub async fn attach(&self, bytes: &[u8]) -> Result<(), Gone> {
        for frame in frame::encode_attachment(bytes) {
            self.push(frame).await?;
        }
        Ok(())
    }

    /// Waits until the user has gone away.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    async fn push(&self, bytes: Result<Vec<u8>, FrameError>) -> Result<(), Gone> {
        self.0.send(bytes.map_err(|_| Gone)?).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
impl ReplySink {
    /// One that nobody reads, and what keeps it open.
    pub fn unread() -> (ReplySink, mpsc::Receiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (ReplySink(sender), receiver)
    }
}

impl Outlet {
    /// Writes what is queued until there is no sink any more, or the user is gone.
    pub(super) async fn run(mut self, mut read: OwnedReadHalf, mut write: OwnedWriteHalf) {
        let hello = frame::encode_json(&frame::Hello::ours());
        let alive = frame::encode(Kind::Alive, &[]);
        let (Ok(hello), Ok(alive)) = (hello, alive) else { return };
        let mut tick = interval(ALIVE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = Some(hello);
        while let Some(bytes) = next {
            match timeout(PATIENCE, write.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::warn!(
                        "a reader of the local socket was dropped: it took nothing for {} s",
                        PATIENCE.as_secs()
                    );
                    return;
                }
            }
            next = tokio::select! {
                bytes = self.0.recv() => bytes,
                _ = tick.tick() => Some(alive.clone()),
                // A request is complete before its answer: whatever comes now is the end.
                _ = read.read_u8() => None,
            };
        }
    }
}
