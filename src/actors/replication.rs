//! The replicated directories of one module: keeps its `rfsbox` running, passes the automaton's
//! orders to it and its words back to the module. It decides nothing.
//!
//! When this actor ends the box goes on: the control plane may die and come back (DESIGN 3). When a box
//! ends, its mounts wait for another one; the module says whether there will be one.

use crate::guard::client::GuardClient;
use crate::node::replicated;
use crate::rfs::control::{self, Fault, LONGEST, Order, Request, Said, Setup};
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, StreamHandler,
    WrapFuture,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, VecDeque};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

/// How often a box that was just started is looked for...
const LOOK: Duration = Duration::from_millis(20);
/// ... and how many times: ten seconds.
const LOOKS: u32 = 500;
/// Orders on their way to the box: the automaton awaits one, commands may add a few.
const QUEUE: usize = 64;
/// While the mailbox of the module is full, its answer is offered again after this time.
const RETRY: Duration = Duration::from_millis(20);

/// Order of the module; answered by [`BoxEvent::Done`] with the same number.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Give {
    /// Effect id.
    pub id: u64,
    /// What to do.
    pub order: Order,
}

/// Takes over the box of an earlier safeadmin, if it lives. No answer but what it says.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct TakeOver;

/// The box does not serve its directories any more: it is killed, as if it had died by itself.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stuck;

/// Another box takes the place of the one that was lost; orders that wait are for it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Replace {
    /// Without replication (ST-29).
    pub degraded: bool,
}

/// No other box comes: what is left of its mounts is taken away, and who waits there gets an error.
/// Answered by [`BoxEvent::Gone`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Abandon;

/// What the module is told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum BoxEvent {
    /// An order ended.
    Done(u64, Result<(), Fault>),
    /// Something else that the box says.
    Said(Said),
    /// The box has ended: why, as far as it is known. Its mounts and the orders that wait need a word:
    /// [`Replace`] or [`Abandon`].
    Lost(String),
    /// Its mounts are taken away.
    Gone,
}

/// What this actor needs.
#[derive(Clone, Debug)]
pub struct BoxSetup {
    /// What the box is told.
    pub setup: Setup,
    /// The program.
    pub program: PathBuf,
    /// SAFEUSERVAR of the module.
    pub uservar: PathBuf,
}

/// The actor.
pub struct Replication {
    setup: BoxSetup,
    module: Recipient<BoxEvent>,
    link: Link,
    /// Orders that are not answered, by number.
    open: BTreeMap<u64, Order>,
    /// Number of the connection: late words of an earlier one are known by it.
    epoch: u64,
    /// Process of the box that is connected.
    process: Option<i32>,
    /// What the module has not taken yet, in order: a change of the stream must not be overtaken.
    news: VecDeque<BoxEvent>,
    /// The module knows that there is no box.
    told: bool,
    /// Why the last one ended.
    why: String,
}

enum Link {
    Down,
    /// The box is lost; orders wait in `open` for the module's word.
    Lost,
    /// It is being started or looked for; orders wait in `open`.
    Coming,
    Up(mpsc::Sender<String>),
}

/// A line of the connection with this number.
struct Line(u64, io::Result<Option<Said>>);

impl Replication {
    /// An actor that starts no box before its first order.
    pub fn new(setup: BoxSetup, module: Recipient<BoxEvent>) -> Replication {
        let (open, news, why) = (BTreeMap::new(), VecDeque::new(), String::new());
        Replication { setup, module, link: Link::Down, open, epoch: 0, process: None, news, told: true, why }
    }

    fn tell(&mut self, event: BoxEvent, ctx: &mut Context<Self>) {
        self.news.push_back(event);
        // With others before it, the end of their wait sends it.
        if self.news.len() == 1 {
            self.flush(ctx);
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.news.front() {
            if self.module.try_send(event.clone()).is_err() {
                ctx.run_later(RETRY, Self::flush);
                return;
            }
            self.news.pop_front();
        }
    }

    fn connect(&mut self, start: bool, ctx: &mut Context<Self>) {
        self.link = Link::Coming;
        let setup = self.setup.clone();
        let found = async move { find(&setup, start).await }.into_actor(self);
        ctx.spawn(found.map(move |found, actor, ctx| match found {
            Ok(stream) => actor.connected(stream, ctx),
            Err(error) if start => actor.lost(&format!("rfsbox cannot be started: {error}"), ctx),
            Err(error) => actor.lost(&format!("rfsbox has ended: {error}"), ctx),
        }));
    }

    fn connected(&mut self, stream: UnixStream, ctx: &mut Context<Self>) {
        self.epoch += 1;
        self.told = false;
        self.process = stream.peer_cred().ok().and_then(|c| c.pid());
        let (read, write) = stream.into_split();
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::task::spawn_local(write_lines(write, receiver));
        ctx.add_stream(lines(self.epoch, read));
        self.link = Link::Up(sender);
        let again: Vec<_> = self.open.iter().map(|(id, order)| (*id, order.clone())).collect();
        for (id, order) in again {
            self.pass(id, order, ctx);
        }
    }

    fn pass(&mut self, id: u64, order: Order, ctx: &mut Context<Self>) {
        let Link::Up(sender) = &self.link else { return };
        if sender.try_send(control::line(&Request { id, order })).is_err() {
            self.open.remove(&id);
            let why = Fault::Again("too many orders wait for rfsbox".to_owned());
            self.tell(BoxEvent::Done(id, Err(why)), ctx);
        }
    }

    /// There is no box. What waits is for its successor, but for what only the old one could do.
    fn lost(&mut self, why: &str, ctx: &mut Context<Self>) {
        self.process = None;
        why.clone_into(&mut self.why);
        if std::mem::replace(&mut self.told, true) {
            return self.refuse_all(ctx);
        }
        self.link = Link::Lost;
        let copying = |order: &Order| matches!(order, Order::Reintegrate { .. });
        let ended: Vec<u64> = self.open.iter().filter(|(_, o)| copying(o)).map(|(id, _)| *id).collect();
        for id in ended {
            self.open.remove(&id);
            self.tell(BoxEvent::Done(id, Err(Fault::Again(why.to_owned()))), ctx);
        }
        self.tell(BoxEvent::Lost(why.to_owned()), ctx);
    }

    /// Nobody carries out what waits. Without a box there is nothing to refuse, unmount or end.
    fn refuse_all(&mut self, ctx: &mut Context<Self>) {
        self.link = Link::Down;
        for (id, order) in std::mem::take(&mut self.open) {
            let result = match order {
                Order::Quit | Order::ReadOnly => Ok(()),
                _ => Err(Fault::Again(self.why.clone())),
            };
            self.tell(BoxEvent::Done(id, result), ctx);
        }
    }
}

impl Actor for Replication {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(QUEUE);
    }
}

impl Handler<Give> for Replication {
    type Result = ();

    fn handle(&mut self, Give { id, order }: Give, ctx: &mut Self::Context) {
        self.open.insert(id, order.clone());
        match self.link {
            Link::Up(_) => self.pass(id, order, ctx),
            Link::Coming | Link::Lost => {}
            // Without a box there is nothing to refuse, unmount, compare or end.
            Link::Down => {
                let nothing = [Order::Quit, Order::ReadOnly, Order::Verify, Order::Diff];
                let starts = !nothing.contains(&order) && !matches!(order, Order::Cancel { .. });
                self.connect(starts, ctx);
            }
        }
    }
}

impl Handler<TakeOver> for Replication {
    type Result = ();

    fn handle(&mut self, _: TakeOver, ctx: &mut Self::Context) {
        if matches!(self.link, Link::Down) {
            self.told = false;
            self.connect(false, ctx);
        }
    }
}

impl Handler<Stuck> for Replication {
    type Result = ();

    fn handle(&mut self, _: Stuck, _: &mut Self::Context) {
        // While it is connected it lives, so the number is its own.
        if let (Link::Up(_), Some(pid)) = (&self.link, self.process)
            && let Err(error) = kill(Pid::from_raw(pid), Signal::SIGKILL)
        {
            tracing::warn!(%error, "rfsbox cannot be killed");
        }
    }
}

impl Handler<Replace> for Replication {
    type Result = ();

    fn handle(&mut self, Replace { degraded }: Replace, ctx: &mut Self::Context) {
        if matches!(self.link, Link::Lost) {
            self.setup.setup.degraded = degraded;
            self.told = false;
            self.connect(true, ctx);
        }
    }
}

impl Handler<Abandon> for Replication {
    type Result = ();

    fn handle(&mut self, _: Abandon, ctx: &mut Self::Context) {
        if !matches!(self.link, Link::Lost) {
            return;
        }
        let setup = self.setup.setup.clone();
        let gone = tokio::task::spawn_blocking(move || take_away(&setup)).into_actor(self);
        ctx.spawn(gone.map(|_, actor, ctx| {
            actor.setup.setup.degraded = false;
            actor.refuse_all(ctx);
            actor.tell(BoxEvent::Gone, ctx);
        }));
    }
}

impl StreamHandler<Line> for Replication {
    fn handle(&mut self, Line(epoch, said): Line, ctx: &mut Self::Context) {
        if epoch != self.epoch {
            return;
        }
        match said {
            Ok(Some(Said::Done { id, result })) => {
                // An answer to nobody is one of an earlier connection.
                let Some(order) = self.open.remove(&id) else { return };
                if order == Order::Quit {
                    self.setup.setup.degraded = false;
                    self.epoch += 1;
                    self.told = true;
                    self.link = Link::Down;
                }
                self.tell(BoxEvent::Done(id, result), ctx);
            }
            Ok(Some(said)) => self.tell(BoxEvent::Said(said), ctx),
            // The end of a connection is not the end of a box: that is seen by knocking again.
            Ok(None) => self.connect(false, ctx),
            Err(error) => {
                tracing::warn!(%error, "rfsbox cannot be understood");
                self.connect(false, ctx);
            }
        }
    }

    // The end of a connection is a line too; this actor outlives it.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<super::module::Close> for Replication {
    type Result = ();

    fn handle(&mut self, _: super::module::Close, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

fn lines(epoch: u64, read: OwnedReadHalf) -> impl futures_util::Stream<Item = Line> {
    let reader = BufReader::new(read);
    futures_util::stream::unfold(Some(reader), move |reader| async move {
        let mut reader = reader?;
        let said = read_line(&mut reader).await;
        let more = matches!(said, Ok(Some(_)));
        Some((Line(epoch, said), more.then_some(reader)))
    })
}

async fn read_line(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Said>> {
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    reader.take(most).read_until(b'\n', &mut text).await?;
    match text.pop() {
        Some(b'\n') => Ok(Some(serde_json::from_slice(&text)?)),
        _ => Ok(None),
    }
}

async fn write_lines(mut write: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if write.write_all(line.as_bytes()).await.is_err() {
            // The reader sees the end of the connection.
            return;
        }
    }
}

/// The box that lives, or a new one.
async fn find(setup: &BoxSetup, start: bool) -> io::Result<UnixStream> {
    let socket = control::socket_path(&setup.uservar);
    match UnixStream::connect(&socket).await {
        Ok(stream) => return Ok(stream),
        Err(error) if !start => return Err(error),
        Err(_) => {}
    }
    let order = setup.clone();
    let ended = tokio::task::spawn_blocking(move || spawn(&order)).await.map_err(io::Error::other)??;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..LOOKS {
        match UnixStream::connect(&socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
        if ended.load(Ordering::Acquire) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let log = log_path(&setup.uservar);
    Err(io::Error::new(last.kind(), format!("it does not answer ({last}); see {}", log.display())))
}

fn log_path(uservar: &Path) -> PathBuf {
    uservar.join("rfs/box.log")
}

/// What a box that has ended has left of its mounts: nobody serves them any more.
fn take_away(setup: &Setup) {
    for dir in &setup.dirs {
        if let Err(error) = replicated::detach_left(&dir.place) {
            tracing::error!(module = %setup.module, %error, "a dead mount stays");
        }
    }
    let kept = GuardClient::connect(&setup.guard).and_then(|mut g| g.forget(&setup.module, ""));
    if let Err(error) = kept {
        tracing::warn!(module = %setup.module, %error, "the guard keeps what nobody needs");
    }
}

/// Starts a box in a process group of its own, so that it outlives this process. What is returned
/// becomes true when it ends.
fn spawn(setup: &BoxSetup) -> io::Result<Arc<AtomicBool>> {
    let file = control::setup_path(&setup.uservar);
    crate::node::record::store(&file, &setup.setup).map_err(io::Error::other)?;
    let log = OpenOptions::new().create(true).append(true).open(log_path(&setup.uservar))?;
    let mut child = Command::new(&setup.program)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", setup.program.display())))?;
    // Nobody else collects it while this process lives.
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    std::thread::Builder::new().name("rfsbox-wait".to_owned()).spawn(move || {
        if let Err(error) = child.wait() {
            tracing::warn!(%error, "the end of rfsbox was not seen");
        }
        seen.store(true, Ordering::Release);
    })?;
    Ok(ended)
}
