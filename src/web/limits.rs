//! How much, and how slowly, somebody may send.

use super::connection::{AT_ONCE, Answer, Connection, Place};
use super::principal;
use super::problem::Problem;
use super::remote::server as remote;
use crate::told::{Told, told};
use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
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

/// Answers over HTTP/2 go out in parts of this size, bytes.
const PART: usize = 32 << 10;

/// Most headers of a request, as HTTP/1 has them; HTTP/2 takes any number.
const HEADERS: usize = 96;

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

/// A place among the requests of a connection, or why there is none; a refusal may have a place too.
fn place(connection: Option<&Connection>) -> (Option<Place>, Result<(), Problem>) {
    // Only a test has no connection.
    let Some(connection) = connection else { return (None, Ok(())) };
    match connection.place() {
        Ok(place) => (Some(place), Ok(())),
        Err(place) => {
            let why = told!(
                "this connection has {AT_ONCE} requests under way: end some",
                "cette connexion a {AT_ONCE} requêtes en cours : terminez-en"
            );
            (place, Err(Problem::too_many(why, Duration::from_secs(1))))
        }
    }
}

/// The body of an answer, which keeps the place of its request, and the body of that.
///
/// The server reads to its end a body in chunks that nobody wants, however slowly it comes; for one that is
/// kept and not read it closes the connection instead.
struct Held {
    body: BoxBody,
    /// What is not handed out yet of the last part.
    rest: Bytes,
    answer: Option<Answer>,
    _place: Option<Place>,
    _payload: Rc<RefCell<Payload>>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let part = match std::mem::take(&mut self.rest) {
            rest if rest.is_empty() => Pin::new(&mut self.body).poll_next(cx),
            rest => Poll::Ready(Some(Ok(rest))),
        };
        let Some(answer) = &self.answer else { return part };
        let Poll::Ready(Some(Ok(mut bytes))) = part else {
            // Who asks for more has taken what there was.
            answer.taken();
            return part;
        };
        // In small parts, so that something is taken of them over a slow connection too.
        answer.hand();
        self.rest = bytes.split_off(bytes.len().min(PART));
        Poll::Ready(Some(Ok(bytes)))
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
    let connection = request.conn_data::<Connection>();
    // HTTP/1 ends the connection by itself when nothing of an answer is taken.
    let answer = connection.filter(|_| request.version() == Version::HTTP_2).map(Connection::answer);
    let (place, placed) = place(connection);
    let response = match placed.and_then(|()| admit(&request)) {
        Err(problem) => request.error_response(problem.in_language(lang)),
        Ok(Admitted { most, _room }) => {
            let bounded = Box::pin(Bounded::new(payload.clone(), most));
            request.set_payload(Payload::Stream { payload: bounded });
            let response = next.call(request).await?.map_into_boxed_body();
            // What reads a body as bytes says only that it could not.
            let error = response.response().error();
            match error.and_then(|error| error.as_error::<PayloadError>()).map(unread) {
                Some(problem) => response.error_response(problem.in_language(lang)),
                None => response,
            }
        }
    };
    Ok(response.map_body(|_, body| {
        BoxBody::new(Held { body, rest: Bytes::new(), answer, _place: place, _payload: payload })
    }))
}

/// What a request has been given.
struct Admitted {
    /// The longest body.
    most: usize,
    /// Room in memory, if it needs some.
    _room: Option<SemaphorePermit<'static>>,
}

fn admit(request: &ServiceRequest) -> Result<Admitted, Problem> {
    if request.headers().len() > HEADERS {
        // A request that nobody makes who means it: its connection has more of them.
        if let Some(connection) = request.conn_data::<Connection>() {
            connection.close();
        }
        let why =
            told!("a request has {HEADERS} headers at most", "une requête a {HEADERS} en-têtes au plus");
        return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
    }
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
        return Ok(Admitted { most, _room: None });
    }
    let busy = || {
        let why = told!(
            "other archives are being received: try again",
            "d'autres archives sont en cours de réception : réessayez"
        );
        Problem::too_many(why, Duration::from_secs(5))
    };
    Ok(Admitted { most, _room: Some(ROOMS.try_acquire().map_err(|_| busy())?) })
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
