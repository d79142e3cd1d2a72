//! What the peer asks: connections to `safenfs_port`, each for one directory, to reintegrate or to
//! follow.

use super::channel::Channel;
use super::directory::{Directory, Parked};
use super::primary::Lender;
use super::{Post, Service, rate, verify};
use crate::fsm::mirror::Stream;
use crate::fsm::sync::Offer;
use crate::lock::lock;
use crate::node::rfssync;
use crate::rfs::control::Line;
use crate::rfs::link::{LinkError, Listener, Reader, Writer};
use crate::rfs::replicator::StreamEvent;
use crate::rfs::resync;
use crate::rfs::wire::{Frame, Hello, Purpose, Welcome, WireError};
use rustix::io::Errno;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a connection may take to say what it is for.
const GREETING: Duration = Duration::from_secs(10);
/// Connections at a time: workers of every directory, and the streams.
const MOST: usize = 128;

/// Takes connections for ever.
pub(super) fn accept(service: &Arc<Service>, listener: &Listener) {
    let open = Arc::new(());
    loop {
        let stream = match listener.accept() {
            Ok(incoming) if incoming.peer().ip() == service.setup.peer => incoming,
            Ok(incoming) => {
                tracing::warn!(from = %incoming.peer(), "a connection from elsewhere is refused");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if Arc::strong_count(&open) > MOST {
            tracing::warn!("too many connections: one is refused");
            continue;
        }
        let (service, open) = (service.clone(), open.clone());
        let served = thread::Builder::new().name("peer".to_owned()).spawn(move || {
            let _open = open;
            match stream.handshake(Instant::now() + GREETING) {
                Ok((reader, writer)) => service.receive(reader, writer),
                Err(error) => service.link_failed(&error),
            }
        });
        if let Err(error) = served {
            tracing::warn!(%error, "no thread for a connection");
        }
    }
}

impl Service {
    pub(super) fn link_failed(&self, error: &LinkError) {
        tracing::info!(%error, "a connection of replication failed");
        if matches!(error, LinkError::Handshake(_)) {
            self.voice.log(Line::Handshake(error.to_string()));
        }
    }

    fn receive(self: &Arc<Self>, mut reader: Reader, mut writer: Writer) {
        let hello = match reader
            .set_timeout(Some(GREETING))
            .map_err(LinkError::Broken)
            .and_then(|()| reader.frame())
        {
            Ok(Frame::Hello(hello)) => hello,
            Ok(other) => return tracing::warn!(?other, "a connection begins with something else than hello"),
            Err(LinkError::Frame(error @ WireError::Version { .. })) => {
                let refused = writer.frame(&Frame::Refuse { lasting: true, text: error.to_string() });
                return tracing::warn!(%error, ?refused, "a connection of another version");
            }
            Err(error) => return self.link_failed(&error),
        };
        let answer = self.admit(&hello);
        let welcome = |generation| {
            let (session, node, offer) = (hello.session, self.setup.me.into(), self.offer());
            Frame::Welcome(Welcome { session, generation, node, offer })
        };
        let served = match answer {
            Err(refused) => writer.frame(&refused).map_err(|e| e.to_string()),
            Ok((dir, generation)) => match hello.purpose {
                Purpose::Resync => writer
                    .frame(&welcome(generation))
                    .map_err(|e| e.to_string())
                    .and_then(|()| self.lend(&dir, &hello, reader, writer)),
                Purpose::Verify => writer
                    .frame(&welcome(generation))
                    .map_err(|e| e.to_string())
                    .and_then(|()| self.show(&dir, &hello, reader, writer)),
                Purpose::Stream => writer.frame(&welcome(generation)).map_err(|e| e.to_string()).map(|()| {
                    *lock(&dir.parked) = Some(Parked { session: hello.session, reader, writer });
                }),
            },
        };
        if let Err(why) = served {
            tracing::info!(%why, session = hello.session, "a connection of the peer ended");
        }
    }

    /// What this primary offers. A policy that cannot be read says nothing, and all is copied.
    pub(super) fn offer(&self) -> Offer {
        let spoken = rfssync::spoken(self.uservar()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the synchronization policy cannot be read");
            None
        });
        rfssync::offered(spoken.as_ref())
    }

    /// Whether this is the peer, configured as this node is, and this node is its primary; else the
    /// answer.
    fn admit(&self, hello: &Hello) -> Result<(Arc<Directory>, u64), Frame> {
        let refuse = |lasting, text: String| Err(Frame::Refuse { lasting, text });
        if hello.module != self.setup.module.as_str() {
            return refuse(true, format!("this is module {}", self.setup.module));
        }
        if hello.config != self.setup.digest {
            let what = "the replicated directories are configured otherwise on the other node: deploy one configuration on both, and stop and start the module there";
            return refuse(true, what.to_owned());
        }
        let Post::Writable { generation, .. } = lock(&self.inner).post else {
            return refuse(false, "this node is not primary".to_owned());
        };
        match self.dirs.get(usize::from(hello.directory)) {
            Some(dir) => Ok((dir.clone(), generation)),
            None => refuse(true, "there is no such directory".to_owned()),
        }
    }

    /// Serves a worker of a reintegration until it leaves.
    fn lend(
        self: &Arc<Self>,
        dir: &Arc<Directory>,
        hello: &Hello,
        reader: Reader,
        writer: Writer,
    ) -> Result<(), String> {
        let lender = Lender::new(self.clone(), dir.clone(), hello.session, hello.generation)?;
        self.begin_session(hello.session);
        let served = serve(lender, reader, writer, Some(self.lent.clone()));
        self.end_session(hello.session);
        served
    }

    /// Serves a secondary that compares, until it leaves.
    fn show(
        self: &Arc<Self>,
        dir: &Arc<Directory>,
        hello: &Hello,
        reader: Reader,
        writer: Writer,
    ) -> Result<(), String> {
        let witness = verify::Witness::new(self.clone(), dir.clone(), hello.session)?;
        serve(witness, reader, writer, None)
    }

    fn begin_session(&self, session: u64) {
        let mut inner = lock(&self.inner);
        match inner.stream {
            Stream::Syncing(n) if n == session => inner.helpers += 1,
            Stream::InStep(n) if n == session => {}
            Stream::Broken => {}
            _ => {
                inner.helpers = 1;
                inner.began = Some((Instant::now(), self.lent.load(Ordering::Relaxed)));
                inner.attached.fill(false);
                self.set_stream(&mut inner, Stream::Syncing(session), String::new());
            }
        }
    }

    /// The last worker of a session that did not come to its end.
    fn end_session(&self, session: u64) {
        let mut inner = lock(&self.inner);
        if inner.stream != Stream::Syncing(session) {
            let began = if inner.stream == Stream::InStep(session) { inner.began.take() } else { None };
            drop(inner);
            if let Some((at, before)) = began {
                let bytes = self.lent.load(Ordering::Relaxed).saturating_sub(before);
                rate::learn(self.uservar(), bytes, at.elapsed());
            }
            return;
        }
        inner.helpers = inner.helpers.saturating_sub(1);
        let attached = inner.attached.iter().any(|a| *a);
        let held = self.dirs.iter().any(|d| lock(&d.hold).is_some());
        if inner.helpers == 0 && !attached && !held {
            self.set_stream(&mut inner, Stream::None, "the reintegration ended early".to_owned());
            self.dirs.iter().for_each(|dir| dir.stop_tracking());
        }
    }

    /// The disk of this node refused a modification, and the application knows. The secondary stays: it
    /// has all that was acknowledged. But if it was no matter of space, nothing that was written
    /// before can be taken for durable: the next reintegration compares hashes.
    fn refused(&self, dir: &Directory, reason: Errno) {
        let sound = matches!(reason, Errno::NOSPC | Errno::DQUOT);
        let mut text = format!("{}: the disk of this node refuses modifications: {reason}", dir.name());
        if !sound {
            text.push_str("; check it, or move the application: safekit swap");
            if dir.marks.zones.base().is_some()
                && let Err(why) = dir.forget_marks()
            {
                text.push_str(&format!("; what was known of the directory stays: {why}"));
            }
        }
        if dir.may_complain() {
            self.error(text);
        }
    }

    /// The stream of one directory was lost: then those of the others are given up too.
    pub(super) fn stream_event(&self, index: usize, event: StreamEvent) {
        let why = match event {
            StreamEvent::Lost { why, .. } => why,
            StreamEvent::Frozen { .. } => "the secondary takes over".to_owned(),
            // The loss of the stream follows.
            StreamEvent::Stale { .. } => return,
            StreamEvent::LocalFailure { unmarked, .. } => {
                if let Some(error) = unmarked {
                    self.error(format!("zones of {} cannot be kept: {error}", self.dirs[index].name()));
                }
                return;
            }
            StreamEvent::Refused { reason } => return self.refused(&self.dirs[index], reason),
        };
        {
            let mut inner = lock(&self.inner);
            if !matches!(inner.post, Post::Writable { .. }) || inner.stream == Stream::Broken {
                return;
            }
            self.set_stream(&mut inner, Stream::Broken, why);
        }
        for (i, dir) in self.dirs.iter().enumerate() {
            if i != index {
                dir.replicator.detach();
            }
        }
    }
}

/// Serves the frames of reintegration on a connection until the peer leaves.
fn serve(
    primary: impl resync::Primary,
    reader: Reader,
    writer: Writer,
    sent: Option<Arc<AtomicU64>>,
) -> Result<(), String> {
    let mut channel = Channel::new(reader, writer, None, sent).map_err(|e| e.to_string())?;
    resync::Source::new(primary).serve(&mut channel).map(drop).map_err(|e| e.to_string())
}
