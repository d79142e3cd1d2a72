//! What the web service asks of `safeadmin`: requests over the local socket, and answers that go on.

use super::node::Node;
use super::wait::PATIENCE;
use safekit::config::paths::Paths;
use safekit::control::client::{Answer, Client};
use safekit::control::{Overview, Reply, Request};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A whole answer.
#[derive(Debug)]
pub struct Answered {
    /// Its pieces.
    pub replies: Vec<Reply>,
    /// Exit code.
    pub code: i32,
    /// What came attached.
    pub attachment: Vec<u8>,
}

impl Answered {
    /// The text of its error; empty without one.
    pub fn error(&self) -> &str {
        let text = |reply: &&Reply| matches!(reply, Reply::Error(_));
        match self.replies.iter().find(text) {
            Some(Reply::Error(failure)) => &failure.text,
            _ => "",
        }
    }
}

/// An answer that goes on; whoever drops it hangs up with the next piece.
pub struct Watch(Receiver<Reply>);

impl Watch {
    /// Waits for a piece that `look` wants.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Reply) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(reply) => match look(&reply) {
                    Some(seen) => return seen,
                    None => last = Some(reply),
                },
                Err(RecvTimeoutError::Timeout) => panic!("not in time: {what}; last: {last:#?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the answer has ended: {what}; last: {last:#?}")
                }
            }
        }
    }

    /// Waits for an overview that `look` wants.
    pub fn overview(&self, what: &str, look: impl Fn(&Overview) -> bool) -> Overview {
        self.until(what, |reply| match reply {
            Reply::Overview(overview) => look(overview).then(|| overview.clone()),
            other => panic!("{what}: {other:?}"),
        })
    }
}

impl Node {
    fn call(&self, request: &Request, attachment: Option<&[u8]>) -> Answer {
        let paths = Paths::new(self.inside().safe(), self.inside().safevar());
        let client = Client::connect(&paths.admin_socket(), Duration::from_secs(10), || {});
        client
            .and_then(|client| client.call(request, attachment))
            .unwrap_or_else(|e| panic!("{request:?}: {e}"))
    }

    /// Asks something of its `safeadmin`.
    pub fn ask(&self, request: &Request, attachment: Option<&[u8]>) -> Answered {
        let mut answer = self.call(request, attachment);
        let mut replies = Vec::new();
        while let Some(reply) = answer.next_reply().unwrap_or_else(|e| panic!("{request:?}: {e}")) {
            replies.push(reply);
        }
        let code = answer.code().expect("the answer has ended");
        Answered { replies, code, attachment: answer.into_attachment() }
    }

    /// Asks something whose answer goes on.
    pub fn watch(&self, request: &Request) -> Watch {
        let mut answer = self.call(request, None);
        let (to, from) = channel();
        std::thread::spawn(move || {
            while let Ok(Some(reply)) = answer.next_reply() {
                if to.send(reply).is_err() {
                    return;
                }
            }
        });
        Watch(from)
    }
}
