//! How something is followed: asked, heard, and asked again when it is lost.

use super::hub::{CAUGHT_UP, Feed, Lines, LogTopic, Order};
use crate::control::async_client::Missed;
use crate::control::{Behalf, Failure, FailureKind, Reply, Request};
use crate::log::LogFilter;
use crate::told::told;
use crate::web::ask::{AskError, Asker, Place};
use crate::web::here::Here;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Pause before a lost node is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Pause before a lost safeadmin of this node is asked again: health checks wait for it.
const PAUSE_HERE: Duration = Duration::from_millis(250);
/// The tunnel gives a sign of life each second: a node that gives none for so long is lost.
const SILENCE: Duration = Duration::from_secs(4);
/// The local socket gives one every 5 s: after that much silence safeadmin hangs.
const SILENCE_HERE: Duration = Duration::from_secs(8);

/// Why something is not followed any more.
struct Lost {
    why: Failure,
    /// It was not refused: safeadmin has gone away.
    gone: bool,
}

/// Follows something for as long as somebody looks; a lost node is asked again and again.
pub(super) async fn follow<T>(
    asker: &Asker,
    order: &Order,
    sender: &watch::Sender<Feed<T>>,
    pick: fn(Reply) -> Option<T>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut heard = false;
        let lost = stream(asker, order, |reply| {
            if let Some(value) = pick(reply) {
                heard = true;
                sender.send_replace(Feed { value: Some(Arc::new(value)), error: None });
            }
        });
        let Lost { why, gone } = lost.await;
        let why = Arc::new(why);
        sender.send_if_modified(|feed| {
            // What is not there any more will not come back as it was.
            let forgotten = why.kind == FailureKind::NotFound && feed.value.take().is_some();
            feed.error.replace(why.clone()).as_ref() != Some(&why) || forgotten
        });
        pause = match order.place {
            Place::Here if gone => PAUSE_HERE,
            _ if heard => FIRST_PAUSE,
            _ => (pause * 2).min(LONGEST_PAUSE),
        };
        tokio::time::sleep(pause).await;
    }
}

/// Follows a log until its node is lost; returns why.
pub(super) async fn follow_log(
    asker: &Asker,
    place: &Place,
    topic: &LogTopic,
    sender: &broadcast::Sender<Lines>,
) -> Arc<str> {
    let LogTopic { module, all, lang } = topic.clone();
    let request = Request::Log {
        module,
        count: Some(CAUGHT_UP),
        all,
        lang,
        follow: true,
        before: None,
        filter: LogFilter::default(),
    };
    let order = Order { place: place.clone(), lang, request };
    let lost = stream(asker, &order, |reply| {
        if let Reply::Log(lines) = reply {
            // Nobody listens: the watch ends.
            let _nobody = sender.send(Lines::New(Arc::new(lines)));
        }
    });
    lost.await.why.text.into()
}

/// Hands on what is said until it ends; returns why it did.
async fn stream(asker: &Asker, order: &Order, mut each: impl FnMut(Reply)) -> Lost {
    let Order { place, lang, request } = order;
    let silence = match place {
        Place::Here => SILENCE_HERE,
        Place::Node(_) => SILENCE,
    };
    let behalf = Behalf { lang: *lang, ..Here::behalf() };
    let mut answer = match asker.ask(place, behalf, request.clone(), Vec::new()).await {
        Ok(answer) => answer.within(silence),
        Err(error) => return Lost { why: error.failure(*lang), gone: true },
    };
    let ended = answer.until(|reply| -> Option<Infallible> {
        each(reply);
        None
    });
    match ended.await {
        Ok(never) => match never {},
        Err(Missed::Refused(why)) => Lost { why, gone: false },
        Err(Missed::Ended) => {
            let text = told!("the node has ended the watch", "le nœud a mis fin à l'observation");
            Lost { why: Failure { kind: FailureKind::Busy, text: text.into(*lang) }, gone: true }
        }
        Err(Missed::Client(error)) => Lost { why: AskError::from(error).failure(*lang), gone: true },
    }
}
