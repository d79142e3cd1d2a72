//! The connection by which requests come.
//!
//! HTTP/2 has any number of requests on one connection, each with as many headers as its sender likes, and an
//! answer waits for room that the other end gives: the server has settings for none of this. So it is counted
//! here, and who goes beyond loses his connection.

use super::pace::STALLED;
use crate::lock::lock;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::{SockRef, Socket};
use std::any::Any;
use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Requests at a time on one connection, until their answers have ended.
pub(super) const AT_ONCE: usize = 100;
/// Requests beyond, which are told so: whoever does not even take that is not there to be answered.
const REFUSED: usize = 100;
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);

/// A place among the requests of a connection.
pub(super) type Place = OwnedSemaphorePermit;

/// A connection.
pub(super) struct Connection {
    requests: Arc<Semaphore>,
    refused: Arc<Semaphore>,
    line: Arc<Line>,
}

/// What closes a connection.
struct Line {
    /// None where there is no HTTP/2.
    socket: Option<Socket>,
    /// When the parts of answers were handed out that are not taken yet, by the number of the answer.
    handed: Mutex<(u64, HashMap<u64, Instant>)>,
}

/// An answer on its way.
pub(super) struct Answer {
    line: Arc<Line>,
    number: u64,
}

/// For `HttpServer::on_connect`: begins to watch a connection.
pub(super) fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TlsStream<TcpStream>>();
    // Without another descriptor it is served all the same.
    let socket = stream.and_then(|stream| SockRef::from(stream.get_ref().0).try_clone().ok());
    let connection = Connection::new(socket);
    if connection.line.socket.is_some() {
        actix_web::rt::spawn(watch(Arc::downgrade(&connection.line)));
    }
    data.insert(connection);
}

/// Closes a connection of which nothing is taken any more; ends with it.
async fn watch(line: Weak<Line>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(line) = line.upgrade() else { return };
        if line.stalled(Instant::now()) {
            line.close();
        }
    }
}

impl Connection {
    fn new(socket: Option<Socket>) -> Connection {
        let line = Arc::new(Line { socket, handed: Mutex::default() });
        let places = |number| Arc::new(Semaphore::new(number));
        Connection { requests: places(AT_ONCE), refused: places(REFUSED), line }
    }

    /// A place; otherwise one among those that are refused, if there is one even there.
    pub(super) fn place(&self) -> Result<Place, Option<Place>> {
        self.requests.clone().try_acquire_owned().map_err(|_| {
            let place = self.refused.clone().try_acquire_owned().ok();
            if place.is_none() {
                self.close();
            }
            place
        })
    }

    /// Closes it, with all that is under way on it.
    pub(super) fn close(&self) {
        self.line.close();
    }

    /// Begins an answer.
    pub(super) fn answer(&self) -> Answer {
        let mut handed = lock(&self.line.handed);
        handed.0 += 1;
        Answer { line: self.line.clone(), number: handed.0 }
    }
}

impl Line {
    fn close(&self) {
        if let Some(socket) = &self.socket {
            tracing::debug!("a connection that goes beyond its limits is closed");
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn stalled(&self, now: Instant) -> bool {
        lock(&self.handed).1.values().any(|at| now.saturating_duration_since(*at) >= STALLED)
    }
}

impl Answer {
    /// A part of it was handed out: it waits until it is taken.
    pub(super) fn hand(&self) {
        lock(&self.line.handed).1.insert(self.number, Instant::now());
    }

    /// What was handed out was taken.
    pub(super) fn taken(&self) {
        lock(&self.line.handed).1.remove(&self.number);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.taken();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_so_many_requests_until_their_answers_end() {
        let connection = Connection::new(None);
        let mut held: Vec<Place> = (0..AT_ONCE).map(|_| connection.place().unwrap()).collect();
        let told: Vec<Option<Place>> = (0..REFUSED).map(|_| connection.place().unwrap_err()).collect();
        assert!(told.iter().all(Option::is_some));
        assert!(connection.place().unwrap_err().is_none(), "not even told");
        held.pop();
        held.push(connection.place().unwrap());
        drop(told);
        assert!(connection.place().unwrap_err().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_not_taken_stalls() {
        let connection = Connection::new(None);
        let (slow, quick, silent) = (connection.answer(), connection.answer(), connection.answer());
        let stalled = || connection.line.stalled(Instant::now());
        slow.hand();
        quick.hand();
        quick.taken();
        tokio::time::advance(STALLED - Duration::from_secs(1)).await;
        assert!(!stalled());
        slow.hand();
        tokio::time::advance(STALLED - Duration::from_secs(1)).await;
        assert!(!stalled(), "some was taken, more was handed out");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(stalled());
        drop(slow);
        tokio::time::advance(STALLED).await;
        assert!(!stalled(), "it has ended; a stream without events is no stall");
        drop((quick, silent));
    }
}
