//! How slowly somebody may take an answer.
//!
//! A short answer is handed to the kernel as a whole. A long one stays in memory until it is taken: there
//! is room for few of them, and whoever stops taking loses his.

use super::problem::Problem;
use crate::lock::lock;
use crate::told::told;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use socket2::SockRef;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

/// A connection whose other end takes nothing for so long is closed: a node without power says no goodbye.
const STALLED: Duration = Duration::from_secs(20);
/// Answers of more than this are long, bytes.
const LONG: u64 = 1 << 20;
/// How much of a long answer must be taken in [`STALLED`], bytes.
const SLOWEST: usize = 256 << 10;
/// A long answer goes out in pieces of this size, bytes.
const PIECE: usize = 64 << 10;
/// Long answers at the same time, of all workers.
static ROOMS: Semaphore = Semaphore::const_new(4);
/// How long an answer waits for one of the [`ROOMS`].
const TURN: Duration = Duration::from_secs(5);

/// Has the kernel close what is stalled: connections have it from the socket that accepts them.
pub(super) fn close_stalled(socket: &TcpListener) -> io::Result<()> {
    SockRef::from(socket).set_tcp_user_timeout(Some(STALLED))
}

/// Bounds how many long answers there are, and how long they take.
pub(super) async fn bound(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let response = next.call(request).await?.map_into_boxed_body();
    if !matches!(response.response().body().size(), BodySize::Sized(size) if size > LONG) {
        return Ok(response);
    }
    let Ok(Ok(room)) = timeout(TURN, ROOMS.acquire()).await else {
        let why = told!(
            "other long answers are being sent: try again",
            "d'autres longues réponses sont en cours d'envoi : réessayez"
        );
        return Ok(response.error_response(Problem::too_many(why, STALLED)));
    };
    Ok(response.map_body(|_, body| match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(Long::new(bytes, room)),
        Err(body) => body,
    }))
}

/// What is left of a long answer.
struct Left {
    bytes: Bytes,
    /// Given back when nothing is left.
    room: Option<SemaphorePermit<'static>>,
    cut: bool,
}

/// A long answer on its way.
struct Long {
    size: u64,
    left: Arc<Mutex<Left>>,
}

impl Long {
    fn new(bytes: Bytes, room: SemaphorePermit<'static>) -> Long {
        let size = bytes.len() as u64;
        let left = Arc::new(Mutex::new(Left { bytes, room: Some(room), cut: false }));
        // Who takes nothing does not make this body run: something else must look.
        actix_web::rt::spawn(watch(Arc::downgrade(&left), size as usize));
        Long { size, left }
    }
}

/// Takes an answer back that is taken too slowly.
async fn watch(left: Weak<Mutex<Left>>, mut before: usize) {
    loop {
        sleep(STALLED).await;
        let Some(left) = left.upgrade() else { return };
        let mut left = lock(&left);
        if left.bytes.is_empty() {
            return;
        }
        if before - left.bytes.len() < SLOWEST {
            *left = Left { bytes: Bytes::new(), room: None, cut: true };
            return;
        }
        before = left.bytes.len();
    }
}

impl MessageBody for Long {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut left = lock(&self.left);
        if left.cut {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        if left.bytes.is_empty() {
            left.room = None;
            return Poll::Ready(None);
        }
        let piece = left.bytes.len().min(PIECE);
        Poll::Ready(Some(Ok(left.bytes.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn long(size: usize) -> Pin<Box<Long>> {
        Box::pin(Long::new(Bytes::from(vec![7; size]), ROOMS.acquire().await.unwrap()))
    }

    async fn piece(body: &mut Pin<Box<Long>>) -> Option<io::Result<Bytes>> {
        poll_fn(|cx| body.as_mut().poll_next(cx)).await
    }

    #[actix_web::test]
    async fn a_long_answer_goes_out_whole() {
        let mut body = long(3 * PIECE + 1).await;
        let mut taken = 0;
        while let Some(bytes) = piece(&mut body).await {
            taken += bytes.unwrap().len();
        }
        assert_eq!((taken, body.size()), (3 * PIECE + 1, BodySize::Sized(3 * PIECE as u64 + 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_it_too_slowly_loses_it_and_its_room() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let mut slow = long(2 << 20).await;
                let mut steady = long(2 << 20).await;
                for _ in 0..6 {
                    sleep(STALLED / 4).await;
                    assert!(piece(&mut steady).await.unwrap().is_ok());
                    let _ = piece(&mut steady).await;
                }
                assert_eq!(piece(&mut slow).await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
                assert!(lock(&slow.left).room.is_none() && lock(&slow.left).bytes.is_empty());
            })
            .await;
    }
}
