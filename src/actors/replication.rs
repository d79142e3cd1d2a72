//! The replicated directories of one module: keeps its `rfsbox` running, passes the automaton's
//! orders to it and its words back to the module. It decides nothing.
//!
//! When this actor ends the box goes on: the control plane may die and come back (DESIGN 3). A box
//! that ends is another matter: its mount is dead, so the module is told.

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

/// What the module is told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum BoxEvent {
    /// An order ended.
    Done(u64, Result<(), Fault>),
    /// Something else that the box says.
    Said(Said),
    /// The box has ended, with its mounts: why, as far as it is known.
    Lost(String),
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
}

enum Link {
    Down,
    /// It is being started or looked for; orders wait in `open`.
    Coming,
    Up(mpsc::Sender<String>),
}

/// A line of the connection with this number.
struct Line(u64, io::Result<Option<Said>>);

impl Replication {
    /// An actor that starts no box before its first order.
    pub fn new(setup: BoxSetup, module: Recipient<BoxEvent>) -> Replication {
        let (open, news) = (BTreeMap::new(), VecDeque::new());
        Replication { setup, module, link: Link::Down, open, epoch: 0, process: None, news, told: true }
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

    /// There is no box. Its mounts are dead with it: nothing can be modified there, and nothing else that
    /// was asked is done, as far as anybody knows.
    fn lost(&mut self, why: &str, ctx: &mut Context<Self>) {
        self.process = None;
        self.link = Link::Down;
        for (id, order) in std::mem::take(&mut self.open) {
            let result = match order {
                Order::Quit | Order::ReadOnly => Ok(()),
                _ => Err(Fault::Again(why.to_owned())),
            };
            self.tell(BoxEvent::Done(id, result), ctx);
        }
        if !std::mem::replace(&mut self.told, true) {
            self.tell(BoxEvent::Lost(why.to_owned()), ctx);
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
            Link::Coming => {}
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
    tokio::task::spawn_blocking(move || spawn(&order)).await.map_err(io::Error::other)??;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..LOOKS {
        match UnixStream::connect(&socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
        tokio::time::sleep(LOOK).await;
    }
    let log = log_path(&setup.uservar);
    Err(io::Error::new(last.kind(), format!("it does not answer ({last}); see {}", log.display())))
}

fn log_path(uservar: &Path) -> PathBuf {
    uservar.join("rfs/box.log")
}

/// Starts a box in a process group of its own, so that it outlives this process.
fn spawn(setup: &BoxSetup) -> io::Result<()> {
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
    std::thread::Builder::new().name("rfsbox-wait".to_owned()).spawn(move || child.wait())?;
    Ok(())
}
