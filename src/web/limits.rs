//! How much, and how slowly, somebody may send.

use super::principal;
use super::problem::Problem;
use super::remote::server as remote;
use crate::told::{Told, told};
use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep_until};

/// Longest body of an ordinary request, bytes.
pub(super) const ORDINARY: usize = 256 << 10;
/// Longest text of a configuration, bytes.
const TEXT: usize = 4 << 20;
/// Longest archive or attachment, bytes: what the local protocol takes, and its frames.
pub(super) const LARGE: usize = 66 << 20;
/// Time for the first [`SLOWEST`] bytes of a body; more of them have as much again.
const TIME: Duration = Duration::from_secs(20);
/// Whoever sends less in [`TIME`] is let go.
const SLOWEST: usize = 256 << 10;

/// Requests at a time on one connection: HTTP/2 has many, and counts them until their answers have ended.
const AT_ONCE: usize = 100;

/// Bodies of more than this need one of the [`ROOMS`], bytes.
const SMALL: usize = 1 << 20;
/// Room in memory for large bodies, of all workers.
static ROOMS: Semaphore = Semaphore::const_new(4);

/// Longest body for a path. What is long goes to handlers that read it only for those who may.
fn most(path: &str) -> usize {
    let path = path.strip_prefix("/api/v1").unwrap_or("");
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match last {
        "archive" | "files" => LARGE,
        "cluster" | "check" => TEXT,
        _ if path.starts_with("/rcmd/") => LARGE,
        _ => ORDINARY,
    }
}

/// The requests of a connection.
struct Connection(Arc<Semaphore>);

/// For `HttpServer::on_connect`: begins to count the requests of a connection.
pub(super) fn on_connect(data: &mut Extensions) {
    data.insert(Connection(Arc::new(Semaphore::new(AT_ONCE))));
}

/// A place among the requests of a connection.
fn place(connection: Option<&Connection>) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    // Only a test has no connection.
    let Some(Connection(places)) = connection else { return Ok(None) };
    places.clone().try_acquire_owned().map(Some).map_err(|_| {
        let why = told!(
            "this connection has {AT_ONCE} requests under way: end some",
            "cette connexion a {AT_ONCE} requêtes en cours : terminez-en"
        );
        Problem::too_many(why, Duration::from_secs(1))
    })
}

/// The body of an answer, which keeps the place of its request, and the body of that.
///
/// The server reads to its end a body in chunks that nobody wants, however slowly it comes; for one that is
/// kept and not read it closes the connection instead.
struct Held {
    body: BoxBody,
    _place: Option<OwnedSemaphorePermit>,
    _payload: Rc<RefCell<Payload>>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// Whether there may be a body that does not say how long it is.
fn unannounced(request: &ServiceRequest) -> bool {
    let of_stream =
        request.version() == Version::HTTP_2 && [Method::POST, Method::PUT].contains(request.method());
    of_stream || request.headers().contains_key("Transfer-Encoding")
}

/// Bounds the requests of a connection, the size of a body and the time in which it comes.
pub(super) async fn bound(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let payload = Rc::new(RefCell::new(request.take_payload()));
    let lang = principal::lang(request.request());
    let (response, place) = match admit(&request) {
        Err(problem) => (request.error_response(problem.in_language(lang)), None),
        Ok(Admitted { most, _room, place }) => {
            let bounded = Box::pin(Bounded::new(payload.clone(), most));
            request.set_payload(Payload::Stream { payload: bounded });
            let response = next.call(request).await?.map_into_boxed_body();
            // What reads a body as bytes says only that it could not.
            let error = response.response().error();
            let response = match error.and_then(|error| error.as_error::<PayloadError>()).map(unread) {
                Some(problem) => response.error_response(problem.in_language(lang)),
                None => response,
            };
            (response, place)
        }
    };
    Ok(response.map_body(|_, body| BoxBody::new(Held { body, _place: place, _payload: payload })))
}

/// What a request has been given.
struct Admitted {
    /// The longest body.
    most: usize,
    /// Room in memory, if it needs some.
    _room: Option<SemaphorePermit<'static>>,
    /// A place among those of its connection.
    place: Option<OwnedSemaphorePermit>,
}

fn admit(request: &ServiceRequest) -> Result<Admitted, Problem> {
    let place = place(request.conn_data::<Connection>())?;
    let most = most(request.path());
    let announced =
        request.headers().get("Content-Length").and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        let most = most >> 10;
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            told!("the body is longer than {most} KiB", "le corps dépasse {most} Kio"),
        ));
    }
    // A body that does not say how long it is may be as long as it may. Who is not let in gives the
    // room back at once: nothing is read for him.
    let unknown = announced.is_none() && unannounced(request);
    let large = unknown || announced.is_some_and(|length| length > SMALL);
    // The tunnel bounds its uploads itself.
    if !large || most <= SMALL || request.path().starts_with(remote::PATH) {
        return Ok(Admitted { most, _room: None, place });
    }
    let busy = || {
        let why = told!(
            "other archives are being received: try again",
            "d'autres archives sont en cours de réception : réessayez"
        );
        Problem::too_many(why, Duration::from_secs(5))
    };
    Ok(Admitted { most, _room: Some(ROOMS.try_acquire().map_err(|_| busy())?), place })
}

/// Why a body was not read to its end.
pub(super) fn unread(error: &PayloadError) -> Problem {
    match error {
        PayloadError::Overflow => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, too_long()),
        PayloadError::Incomplete(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            told!(
                "the body is not complete: it has ended too early, or comes too slowly",
                "le corps n'est pas complet : il s'est terminé trop tôt, ou arrive trop lentement"
            ),
        ),
        other => Problem::bad_request(told!(
            "the body cannot be read: {other}",
            "le corps ne peut pas être lu : {other}"
        )),
    }
}

/// What is said of a body beyond the limit.
pub(super) fn too_long() -> Told {
    told!("the body is too long", "le corps est trop long")
}

/// A body within its limits.
struct Bounded {
    payload: Rc<RefCell<Payload>>,
    left: usize,
    received: usize,
    begun: Instant,
    until: Pin<Box<Sleep>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.payload.borrow_mut().poll_next_unpin(cx);
        match next {
            Poll::Ready(Some(Ok(bytes))) => Poll::Ready(Some(self.accept(bytes))),
            Poll::Ready(other) => Poll::Ready(other),
            Poll::Pending => match self.until.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Bounded {
    fn new(payload: Rc<RefCell<Payload>>, most: usize) -> Bounded {
        let now = Instant::now();
        Bounded { payload, left: most, received: 0, until: Box::pin(sleep_until(now + TIME)), begun: now }
    }

    fn accept(&mut self, bytes: Bytes) -> Result<Bytes, PayloadError> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(PayloadError::Overflow)?;
        self.received += bytes.len();
        // More time for what has come; a trickle gets none.
        let share = u32::try_from(self.received / SLOWEST).unwrap_or(u32::MAX);
        let until = self.begun + TIME.saturating_mul(share + 1);
        self.until.as_mut().reset(until);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(most: usize, chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Bounded {
        let chunks: Pin<Box<dyn Stream<Item = _>>> = Box::pin(chunks);
        Bounded::new(Rc::new(RefCell::new(Payload::Stream { payload: chunks })), most)
    }

    #[test]
    fn only_what_needs_it_may_be_large() {
        assert_eq!(most("/api/v1/nodes/node1/modules/AM/archive"), LARGE);
        assert_eq!(most("/api/v1/cluster"), TEXT);
        assert_eq!(most("/api/v1/rcmd"), ORDINARY);
        assert_eq!(most("/archive"), ORDINARY);
    }

    #[test]
    fn a_connection_has_so_many_requests_until_their_answers_end() {
        let mut data = Extensions::new();
        on_connect(&mut data);
        let connection = data.get::<Connection>();
        let answer = |place| {
            let payload = Rc::new(RefCell::new(Payload::None));
            Held { body: BoxBody::new(()), _place: place, _payload: payload }
        };
        let mut held: Vec<Held> = (0..AT_ONCE).map(|_| answer(place(connection).unwrap())).collect();
        assert_eq!(place(connection).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        held.pop();
        assert!(place(connection).unwrap().is_some());
        assert!(place(None).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut() {
        let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])));
        let mut body = bounded(10_000, endless);
        let mut received = 0;
        let end = loop {
            match body.next().await {
                Some(Ok(bytes)) => received += bytes.len(),
                other => break other,
            }
        };
        assert!(matches!(end, Some(Err(PayloadError::Overflow))));
        assert_eq!(received, 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_let_go_and_a_long_upload_is_not() {
        let slowly = |size: usize| {
            futures_util::stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Ok(Bytes::from(vec![0; size])), ()))
            })
        };
        let start = Instant::now();
        let mut trickle = bounded(LARGE, Box::pin(slowly(1)));
        while let Some(Ok(_)) = trickle.next().await {}
        assert!(start.elapsed() < TIME + Duration::from_secs(2));
        let mut steady = bounded(LARGE, Box::pin(slowly(SLOWEST / 10)));
        for _ in 0..200 {
            assert!(matches!(steady.next().await, Some(Ok(_))));
        }
    }
}
