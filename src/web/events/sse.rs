//! The form of an event stream, and how many there may be.

use crate::told::told;
use crate::web::api::Asking;
use crate::web::problem::Problem;
use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream::unfold;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

/// Streams of all browsers together.
const MOST: usize = 1000;
/// A stream that has said nothing for so long says that it lives.
const ALIVE: Duration = Duration::from_secs(10);
/// How often the session is looked at, however much is said.
const LOOK: Duration = Duration::from_secs(10);
/// Events of one browser that are not sent yet; a browser that takes none for [`PATIENCE`] is let go.
const QUEUE: usize = 4;
/// How long a browser may take for one event.
const PATIENCE: Duration = Duration::from_secs(30);

/// Room for the event streams of a server.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Streams(Arc::new(Semaphore::new(MOST)))
    }
}

impl Streams {
    fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.0.clone().try_acquire_owned().map_err(|_| {
            Problem::unavailable(told!(
                "{MOST} event streams are open: close some consoles, or try again later",
                "{MOST} flux d'événements sont ouverts : fermez des consoles, ou réessayez plus tard"
            ))
        })
    }
}

/// Why a stream ends: nobody listens, or nobody may any more.
#[derive(Debug)]
pub struct Ended;

/// Where the events of a stream go.
pub struct Out {
    queue: mpsc::Sender<Bytes>,
    asking: Asking,
    next_sign: Instant,
    next_look: Instant,
}

impl Out {
    /// Sends an event with its data as JSON.
    pub async fn send(&mut self, event: &str, data: &impl Serialize) -> Result<(), Ended> {
        let json = serde_json::to_string(data).map_err(|_| Ended)?;
        self.put(format!("event: {event}\ndata: {json}\n\n")).await
    }

    /// Waits for something, with a sign of life now and then. Ends with the session of the user.
    pub async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::pin!(what);
        loop {
            if self.next_look <= Instant::now() {
                if !self.asking.web.still_valid(&self.asking.principal).await {
                    return Err(Ended);
                }
                self.next_look = Instant::now() + LOOK;
            }
            tokio::select! {
                () = self.queue.closed() => return Err(Ended),
                done = timeout_at(self.next_sign.min(self.next_look), &mut what) => {
                    if let Ok(done) = done {
                        return Ok(done);
                    }
                }
            }
            if self.next_sign <= Instant::now() {
                self.put(": alive\n\n".to_owned()).await?;
            }
        }
    }

    async fn put(&mut self, text: String) -> Result<(), Ended> {
        self.next_sign = Instant::now() + ALIVE;
        let sent = tokio::time::timeout(PATIENCE, self.queue.send(Bytes::from(text))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}

/// Answers with the events that `tell` sends, until it ends.
pub fn respond<F>(asking: &Asking, tell: F) -> Result<HttpResponse, Problem>
where
    F: AsyncFnOnce(&mut Out) -> Result<(), Ended> + 'static,
{
    let room = asking.web.streams.enter()?;
    let (queue, events) = mpsc::channel(QUEUE);
    let now = Instant::now();
    let mut out = Out { queue, asking: asking.clone(), next_sign: now + ALIVE, next_look: now + LOOK };
    actix_web::rt::spawn(async move {
        // A stream that ends is nothing to tell anybody: the browser sees it.
        let _ended = tell(&mut out).await;
        drop(room);
    });
    let body = unfold(events, |mut events| async move {
        events.recv().await.map(|bytes| (Ok::<_, actix_web::Error>(bytes), events))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}
