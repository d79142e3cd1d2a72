//! How slowly somebody may take an answer.
//!
//! A short answer is handed to the kernel as a whole. A long one stays in memory until it is taken, or holds
//! what it is made of: there is room for few of them, and whoever stops taking loses his.

use super::problem::Problem;
use crate::told::told;
use actix_web::body::{BodySize, BodyStream, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use socket2::SockRef;
use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

/// A connection whose other end takes nothing for so long is closed: a node without power says no goodbye.
pub(super) const STALLED: Duration = Duration::from_secs(20);
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
    let taken = response.request().extensions_mut().remove::<Place>();
    if !matches!(response.response().body().size(), BodySize::Sized(size) if size > LONG) {
        return Ok(response);
    }
    let place = match taken {
        Some(place) => Ok(place),
        None => place().await,
    };
    Ok(match place {
        Ok(place) => response.map_body(|_, body| BoxBody::new(Long::new(body, Some(place)))),
        Err(problem) => response.error_response(problem),
    })
}

/// A place among the long answers.
pub(super) type Place = SemaphorePermit<'static>;

/// Waits for one.
pub(super) async fn place() -> Result<Place, Problem> {
    // The semaphore is never closed: only the time can end this wait.
    match timeout(TURN, ROOMS.acquire()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => {
            let why = told!(
                "other long answers are being sent: try again",
                "d'autres longues réponses sont en cours d'envoi : réessayez"
            );
            Err(Problem::too_many(why, STALLED))
        }
    }
}

/// Of a handler whose answer may be long: its place is taken before anything is in memory, and given back when
/// the answer is short or has ended.
pub(super) struct Early;

impl FromRequest for Early {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Early, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let place = place().await?;
            request.extensions_mut().insert(place);
            Ok(Early)
        })
    }
}

/// What is left of a long answer.
#[derive(Default)]
struct Left {
    /// None when it has ended.
    body: Option<BoxBody>,
    /// What it gave last, but for what was taken.
    bytes: Bytes,
    /// Given back when nothing is left.
    _room: Option<Place>,
    /// Bytes that were taken.
    taken: usize,
    /// There is nothing to take now: nobody is slow.
    empty: bool,
    cut: bool,
}

/// A long answer on its way.
pub(super) struct Long {
    size: BodySize,
    left: Rc<RefCell<Left>>,
}

impl Long {
    fn new(body: BoxBody, room: Option<Place>) -> Long {
        let size = body.size();
        let left = Rc::new(RefCell::new(Left { body: Some(body), _room: room, ..Left::default() }));
        // Who takes nothing does not make this body run: something else must look.
        actix_web::rt::spawn(watch(Rc::downgrade(&left)));
        Long { size, left }
    }

    /// One that is made while it is taken: it is dropped as a whole when it is taken too slowly.
    pub(super) fn stream(pieces: impl Stream<Item = Result<Bytes, Problem>> + 'static) -> Long {
        Long::new(BoxBody::new(BodyStream::new(Box::pin(pieces))), None)
    }
}

/// Takes an answer back that is taken too slowly.
async fn watch(left: Weak<RefCell<Left>>) {
    let mut before = 0;
    loop {
        sleep(STALLED).await;
        let Some(left) = left.upgrade() else { return };
        let mut left = left.borrow_mut();
        if left.body.is_none() {
            return;
        }
        if !left.empty && left.taken - before < SLOWEST {
            *left = Left { cut: true, ..Left::default() };
            return;
        }
        before = left.taken;
    }
}

impl MessageBody for Long {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut left = self.left.borrow_mut();
        if left.cut {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        }
        while left.bytes.is_empty() {
            let Some(body) = &mut left.body else { return Poll::Ready(None) };
            let next = Pin::new(body).poll_next(cx);
            left.empty = next.is_pending();
            match ready!(next) {
                Some(bytes) => left.bytes = bytes?,
                None => *left = Left::default(),
            }
        }
        let piece = left.bytes.len().min(PIECE);
        left.taken += piece;
        Poll::Ready(Some(Ok(left.bytes.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::future::poll_fn;

    async fn long(size: usize) -> Pin<Box<Long>> {
        let room = ROOMS.acquire().await.unwrap();
        Box::pin(Long::new(BoxBody::new(Bytes::from(vec![7; size])), Some(room)))
    }

    async fn piece(body: &mut Pin<Box<Long>>) -> Option<Result<Bytes, Box<dyn std::error::Error>>> {
        poll_fn(|cx| body.as_mut().poll_next(cx)).await
    }

    fn is_cut(body: &Pin<Box<Long>>) -> bool {
        let left = body.left.borrow();
        assert_eq!(left.cut, left.body.is_none(), "nothing of it is kept");
        left.cut
    }

    #[actix_web::test]
    async fn a_long_answer_goes_out_whole() {
        let mut body = long(3 * PIECE + 1).await;
        let mut taken = 0;
        while let Some(bytes) = piece(&mut body).await {
            taken += bytes.unwrap().len();
        }
        assert_eq!((taken, body.size()), (3 * PIECE + 1, BodySize::Sized(3 * PIECE as u64 + 1)));
        assert!(body.left.borrow()._room.is_none());
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
                let error = piece(&mut slow).await.unwrap().unwrap_err();
                assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::TimedOut);
                assert!(slow.left.borrow()._room.is_none() && is_cut(&slow));
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_cut_for_who_takes_it_too_slowly_and_not_for_where_it_comes_from() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let held = Rc::new(());
                let endless = |held: Rc<()>| {
                    stream::repeat_with(move || {
                        let _ = &held;
                        Ok(Bytes::from_static(&[7; 1000]))
                    })
                };
                let mut slow = Box::pin(Long::stream(endless(held.clone())));
                let mut quick = Box::pin(Long::stream(endless(Rc::default())));
                // What it is made of comes once in a minute.
                let rare = stream::unfold((), |()| async {
                    sleep(3 * STALLED).await;
                    Some((Ok(Bytes::from_static(b"line")), ()))
                });
                let mut rare = Box::pin(Long::stream(rare));
                let rarely = async {
                    assert_eq!(piece(&mut rare).await.unwrap().unwrap(), "line");
                    assert!(!is_cut(&rare));
                };
                let others = async {
                    for _ in 0..20 {
                        sleep(STALLED / 4).await;
                        let _ = piece(&mut slow).await;
                        for _ in 0..100 {
                            piece(&mut quick).await.unwrap().unwrap();
                        }
                    }
                    assert!(is_cut(&slow) && !is_cut(&quick));
                };
                futures_util::join!(rarely, others);
                assert_eq!(Rc::strong_count(&held), 1, "what it was made of is let go");
            })
            .await;
    }
}
