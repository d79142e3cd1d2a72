//! The secondary's part: a reintegration of every directory, one after the other, each followed by
//! its stream.

use super::channel::Channel;
use super::directory::Directory;
use super::marks::Settled;
use super::{Post, Service};
use super::{marks, verify};
use crate::fsm::mirror::Stream;
use crate::fsm::start::Rescue;
use crate::fsm::sync::{self, Copy, How};
use crate::lock::lock;
use crate::rfs::apply::Applier;
use crate::rfs::control::{Fault, Line};
use crate::rfs::link::{Closer, Link, LinkError, Reader, Writer};
use crate::rfs::op::Name;
use crate::rfs::receiver::{self, Receiver, ReceiverEvent};
use crate::rfs::rescue::{Keeper, Kept, Room, Source};
use crate::rfs::resync::{self, Plan, Progress, Target};
use crate::rfs::wire::{Frame, Hello, Purpose, Welcome};
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a connection to the primary may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the last operation of a stream that is given up may take.
const STOP: Duration = Duration::from_secs(20);
/// Received bytes that may wait to be applied.
const QUEUE_BYTES: usize = 64 << 20;
/// Received operations that may wait to be applied.
const QUEUE_OPS: usize = 1 << 16;
/// Bytes that one hash is taken of, at most.
const ZONE_MOST: u32 = 64 << 20;
/// The `namespacepolicy` under which an interrupted full copy is resumed.
const RESUMES: u8 = 4;
/// Bytes of a file in one message, at most.
const PACKET_MOST: u32 = 4 << 20;

/// Ends of the connections of a reintegration.
type Closers = Arc<Mutex<Vec<Closer>>>;

/// A reintegration under way.
pub(super) struct Joining {
    closers: Closers,
    progress: Arc<Progress>,
    thread: JoinHandle<()>,
}

/// Begins a reintegration on its own thread, which answers the order `id`.
pub(super) fn begin(service: &Arc<Service>, id: u64, session: u64, how: How, rescue: Option<Rescue>) {
    end(service);
    let (progress, closers) = (Arc::new(Progress::default()), Closers::default());
    let (shared, service) = (progress.clone(), service.clone());
    let work =
        Work { closers: closers.clone(), service: service.clone(), session, how, rescue, progress: shared };
    let thread = thread::Builder::new().name("reintegre".to_owned()).spawn(move || {
        let result = work.run();
        let service = work.service.clone();
        if let Err(Fault::Again(why) | Fault::Refused(why)) = &result {
            tracing::info!(%why, "the reintegration did not end well");
            service.give_up();
        }
        service.done(id, result);
    });
    match thread {
        Ok(thread) => *lock(&service.join) = Some(Joining { closers, progress, thread }),
        Err(error) => service.done(id, Err(Fault::Again(format!("no thread to reintegrate: {error}")))),
    }
}

/// How far the reintegration under way is.
pub(super) fn progress(service: &Service) -> Option<Arc<Progress>> {
    let join = lock(&service.join);
    join.as_ref().filter(|j| !j.thread.is_finished()).map(|j| j.progress.clone())
}

/// Ends a reintegration that goes on, and waits for its end.
pub(super) fn end(service: &Service) {
    verify::end(service);
    let joining = lock(&service.join).take();
    if let Some(joining) = joining {
        joining.progress.cancel();
        // Who waits for an answer of the primary does not wait for its timeout.
        lock(&joining.closers).iter().for_each(Closer::shutdown);
        if joining.thread.join().is_err() {
            service.error("the reintegration broke off".to_owned());
        }
    }
}

/// No connection to the primary: why, and whether it will be refused again.
pub(super) struct NotAdmitted(pub String, bool);

impl From<LinkError> for NotAdmitted {
    fn from(error: LinkError) -> NotAdmitted {
        NotAdmitted(error.to_string(), false)
    }
}

impl NotAdmitted {
    /// Refused is only what has changed nothing yet: with the first directory.
    fn about(self, dir: &Directory) -> Fault {
        let why = format!("{} cannot be synchronized: {}", dir.name(), self.0);
        if self.1 && dir.index == 0 { Fault::Refused(why) } else { Fault::Again(why) }
    }
}

struct Work {
    closers: Closers,
    service: Arc<Service>,
    session: u64,
    how: How,
    rescue: Option<Rescue>,
    progress: Arc<Progress>,
}

impl Work {
    fn run(&self) -> Result<(), Fault> {
        let service = &self.service;
        {
            let mut inner = lock(&service.inner);
            if !matches!(inner.post, Post::Closed | Post::Following(_)) {
                return Err(Fault::Again("this node is primary".to_owned()));
            }
            service.set_stream(&mut inner, Stream::Syncing(self.session), String::new());
        }
        service.mount().map_err(Fault::Again)?;
        for dir in &service.dirs {
            // A stream of an earlier session: what it received is overwritten.
            if let Some(receiver) = lock(&dir.receiver).take() {
                receiver.stop(Instant::now() + STOP).map_err(|e| Self::again(dir)(e.to_string()))?;
            }
        }
        let keeper = self.keeper()?;
        for dir in &service.dirs {
            self.directory(dir, keeper.as_ref())?;
        }
        if let Some(keeper) = keeper {
            service.rescued(keeper.finish().map_err(|e| Fault::Again(e.to_string()))?);
        }
        service.voice.log(Line::Ended("synchronize".to_owned()));
        let mut inner = lock(&service.inner);
        if inner.stream != Stream::Syncing(self.session) {
            return Err(Fault::Again("the stream of a directory was lost meanwhile".to_owned()));
        }
        service.set_stream(&mut inner, Stream::InStep(self.session), String::new());
        Ok(())
    }

    fn again(dir: &Directory) -> impl Fn(String) -> Fault {
        let name = dir.name();
        move |why| Fault::Again(format!("{name} cannot be synchronized: {why}"))
    }

    /// Keeps what only this node may have.
    fn keeper(&self) -> Result<Option<Arc<Keeper>>, Fault> {
        let Some(why) = self.rescue else { return Ok(None) };
        let setup = &self.service.setup;
        let room = Room { limit: setup.rescue_limit, reserve: None };
        let dirs = setup.dirs.iter().map(|d| d.place.dir.clone()).collect();
        let keeper = Keeper::new(setup.rescue.clone(), room, why, setup.me, dirs);
        keeper.map(|k| Some(Arc::new(k))).map_err(|e| Fault::Again(e.to_string()))
    }

    fn directory(&self, dir: &Arc<Directory>, keeper: Option<&Arc<Keeper>>) -> Result<(), Fault> {
        let again = Self::again(dir);
        let mut settled = dir.settled();
        let generation = settled.map_or(0, |s| s.generation);
        // The stream is connected before the end, so that it can be attached in the same breath; and
        // before anything is changed here, since the primary may refuse.
        let hello = self.service.hello(Purpose::Stream, dir.index, self.session, generation);
        let (reader, writer, welcome) = self.service.connect(&hello).map_err(|e| e.about(dir))?;
        let copy = sync::agree(&self.how, &welcome.offer).map_err(|e| Fault::Refused(e.to_string()))?;
        if let Copy::SinceBackup(uid) = &copy {
            settled = Some(Settled { generation: marks::of_backup(uid), at: u64::MAX });
        }
        dir.forget_marks().map_err(&again)?;
        let (before, doubtful) = dir.follow().map_err(&again)?;
        let source = Source { dir: dir.index, before, doubtful };
        let acl = self.service.setup.acl;
        let keep = keeper.cloned().map(|keeper| -> resync::Keep {
            Arc::new(move |dir, path, what| {
                keeper.keep(source, dir, path, what, acl).map_err(|e| e.to_string())
            })
        });
        self.service.voice.log(Line::Updating(dir.name()));
        let began = Instant::now();
        let mut follow = Err("the stream was not attached".to_owned());
        let outcome = self.copy(dir, &copy, settled, keep, || follow = self.follow(dir, reader, writer))?;
        *lock(&dir.receiver) = Some(follow.map_err(&again)?);
        lock(&self.service.inner).post = Post::Following(welcome.generation);
        self.copied(dir, &outcome, began.elapsed());
        Ok(())
    }

    fn copy(
        &self,
        dir: &Arc<Directory>,
        copy: &Copy,
        settled: Option<Settled>,
        keep: Option<resync::Keep>,
        attached: impl FnOnce(),
    ) -> Result<resync::Outcome, Fault> {
        let again = Self::again(dir);
        let setup = &self.service.setup;
        let options = resync::Options {
            commit: u64::from(setup.commit) * u64::from(setup.packet),
            resume: setup.policy == RESUMES,
            detail: self.detail(),
            settled_at: settled.map(|s| s.at),
            keep,
            ..self.service.resync_options(dir)
        };
        let plan = match copy {
            Copy::Modified if setup.policy == 0 => Plan::Hash,
            Copy::Modified | Copy::SinceBackup(_) => Plan::Zones,
            Copy::Hash => Plan::Hash,
            Copy::Full => Plan::Full,
            Copy::Since(date) => Plan::Since(*date),
        };
        let target = Target::new(dir.root().map_err(&again)?, options, self.progress.clone());
        let (service, session, index) = (self.service.clone(), self.session, dir.index);
        let generation = settled.map_or(0, |s| s.generation);
        let (closers, progress) = (self.closers.clone(), self.progress.clone());
        let open = move || -> io::Result<Box<dyn resync::Channel + Send>> {
            if progress.is_cancelled() {
                return Err(io::Error::other("it was ended"));
            }
            let hello = service.hello(Purpose::Resync, index, session, generation);
            let (reader, writer, _) = service.connect(&hello).map_err(|e| io::Error::other(e.0))?;
            lock(&closers).push(reader.closer());
            Ok(Box::new(Channel::new(reader, writer, Some(service.setup.reitimeout), None)?))
        };
        target.run(open, plan, attached).map_err(|e| again(e.to_string()))
    }

    /// A line for each file, if `reidetail` says so.
    fn detail(&self) -> Option<resync::Detail> {
        if !self.service.setup.detail {
            return None;
        }
        let service = self.service.clone();
        Some(Arc::new(move |text| service.voice.log(Line::Progress(text))))
    }

    /// Takes the stream, which the primary has just attached.
    fn follow(&self, dir: &Arc<Directory>, reader: Reader, writer: Writer) -> Result<Receiver, String> {
        reader.set_timeout(None).map_err(|e| e.to_string())?;
        let applier = Applier::new(dir.root()?).map_err(|e| e.to_string())?;
        let lost = self.service.clone();
        let events = Box::new(move |event: ReceiverEvent| lost.receiver_event(&event));
        let options = receiver::Options {
            async_none: self.service.setup.after_disk,
            queue_bytes: QUEUE_BYTES,
            queue_ops: QUEUE_OPS,
        };
        Receiver::start(reader, writer, applier, options, events).map_err(|e| e.to_string())
    }

    /// MSG-R-02: only if something was copied.
    fn copied(&self, dir: &Directory, outcome: &resync::Outcome, took: Duration) {
        if outcome.files == 0 {
            return;
        }
        let kib = outcome.bytes / 1024;
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = kib.saturating_mul(1000) / ms;
        self.service.voice.log(Line::Copied(format!(
            "{kib} KB, {} files in {}.{:03} s ({rate} KB/sec) for {}",
            outcome.files,
            ms / 1000,
            ms % 1000,
            dir.name()
        )));
    }
}

impl Service {
    /// What is in the archive, for the log.
    pub(super) fn rescued(&self, kept: Option<Kept>) {
        if let Some(Kept { name: archive, files, bytes, left_out }) = kept {
            self.voice.log(Line::Rescued { archive, files, bytes, left_out });
        }
    }

    /// This node's files are its own from now on: what an interrupted reintegration has kept is complete.
    pub(super) fn close_rescue(&self) {
        match Keeper::close_all(&self.setup.rescue) {
            Ok(kept) => self.rescued(kept),
            // No reason to keep an application waiting.
            Err(error) => self.error(error.to_string()),
        }
    }

    /// How this node reads and writes a directory that it compares or copies.
    pub(super) fn resync_options(&self, dir: &Arc<Directory>) -> resync::Options {
        let (setup, exclude) = (&self.setup, dir.clone());
        resync::Options {
            workers: usize::try_from(setup.workers).unwrap_or(1),
            zone_bytes: u32::try_from(setup.zone).unwrap_or(u32::MAX).min(ZONE_MOST),
            packet: setup.packet.min(PACKET_MOST),
            bandwidth: setup.bandwidth.map(u64::from),
            acl: setup.acl,
            replicated: Some(Arc::new(move |path: &[Name]| exclude.exclude.replicated(path, false))),
            ..resync::Options::default()
        }
    }

    pub(super) fn hello(&self, purpose: Purpose, index: usize, session: u64, generation: u64) -> Hello {
        Hello {
            module: self.setup.module.as_str().to_owned(),
            directory: u16::try_from(index).unwrap_or(u16::MAX),
            purpose,
            session,
            generation,
            node: self.setup.me.into(),
            config: self.setup.digest,
        }
    }

    /// A connection to the primary that has accepted this hello.
    pub(super) fn connect(&self, hello: &Hello) -> Result<(Reader, Writer, Welcome), NotAdmitted> {
        let to = (self.setup.peer, self.setup.port).into();
        let deadline = Instant::now() + CONNECT;
        let linked = Link::connect(to, Some(self.setup.local), &self.link, deadline);
        let (mut reader, mut writer) = linked.inspect_err(|e| self.link_failed(e))?;
        writer.frame(&Frame::Hello(hello.clone()))?;
        let timeout = reader.set_timeout(Some(self.setup.reitimeout)).map_err(LinkError::Broken);
        match timeout.and_then(|()| reader.frame())? {
            Frame::Welcome(welcome) => Ok((reader, writer, welcome)),
            Frame::Refuse { lasting, text } => {
                Err(NotAdmitted(format!("the primary refuses: {text}"), lasting))
            }
            other => Err(NotAdmitted(format!("the primary answers {other:?}"), false)),
        }
    }

    /// The stream to this secondary is lost; what it does then is the automaton's matter.
    fn receiver_event(&self, event: &ReceiverEvent) {
        let ReceiverEvent::Lost { why } = event;
        let mut inner = lock(&self.inner);
        if matches!(inner.stream, Stream::InStep(_) | Stream::Syncing(_)) {
            self.set_stream(&mut inner, Stream::Broken, why.clone());
        }
    }

    /// A reintegration failed: streams that follow already are of no use.
    fn give_up(&self) {
        for dir in &self.dirs {
            if let Some(receiver) = lock(&dir.receiver).take()
                && let Err(error) = receiver.stop(Instant::now() + STOP)
            {
                self.error(format!("{}: {error}", dir.name()));
            }
        }
        let mut inner = lock(&self.inner);
        inner.post = Post::Closed;
        self.set_stream(&mut inner, Stream::None, String::new());
    }
}
