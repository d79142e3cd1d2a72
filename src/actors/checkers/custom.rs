//! A program of the module that sets its resource itself, by `safekit set` (CFG-CUS).
//!
//! It runs as long as its window is open: started again when it exits, after a growing pause, and
//! ended with all its children when the window closes.

use super::{Finding, Reporter, Stop};
use crate::ids::ModuleName;
use actix::{Actor, ActorContext, Context, Handler, Recipient, ResponseFuture};
use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// From SIGTERM to SIGKILL.
pub const TERM_LIMIT: Duration = Duration::from_secs(2);
/// Longest wait after SIGKILL: what is left then hangs in the kernel.
pub const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Pause before the first restart; doubled each time up to the longest.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause before a restart. A program that ran for so long begins with the first one again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Makes the program start inside the module's process group.
pub type Enter = Rc<dyn Fn(&mut std::process::Command) -> io::Result<()>>;

/// The program.
#[derive(Clone)]
pub struct Program {
    /// Its first argument; the second is the resource.
    pub module: ModuleName,
    /// The file.
    pub exec: PathBuf,
    /// Further arguments.
    pub args: Vec<String>,
    /// Variables set beside those of safeadmin (ST-93).
    pub env: Vec<(String, String)>,
    /// Puts it where a stop of the module finds it.
    pub enter: Enter,
}

/// The checker: an actor that holds the program's supervision.
pub struct Custom {
    reporter: Reporter,
    program: Program,
    running: Option<Running>,
}

struct Running {
    /// Dropped without a word when the actor dies: that ends the program too.
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Custom {
    /// Starts the checker in the current arbiter.
    pub fn launch(reporter: Reporter, program: Program) -> Recipient<Stop> {
        Custom { reporter, program, running: None }.start().recipient()
    }
}

impl Actor for Custom {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if !self.reporter.tell(Finding::Init) {
            ctx.stop();
            return;
        }
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (program, resource) = (self.program.clone(), self.reporter.resource.to_string());
        actix_rt::spawn(async move {
            supervise(&program, &resource, stopped).await;
            // Nobody waits if the actor has died.
            let _ = end.send(());
        });
        self.running = Some(Running { stop, ended });
    }
}

impl Handler<Stop> for Custom {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        let running = self.running.take();
        ctx.stop();
        Box::pin(async move {
            if let Some(Running { stop, ended }) = running {
                drop(stop);
                // An error means that the supervision is gone, which is what is waited for.
                let _ = ended.await;
            }
        })
    }
}

/// Keeps the program running until `stop` is dropped.
async fn supervise(program: &Program, resource: &str, mut stop: oneshot::Receiver<()>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match program.spawn(resource) {
            Ok((mut child, group)) => tokio::select! {
                status = child.wait() => {
                    // What it has left behind would set the resource beside its successor.
                    let _ = killpg(group, Signal::SIGKILL);
                    tracing::warn!(resource, ?status, "a custom checker has exited and is started again");
                }
                _ = &mut stop => return end(child, group, resource).await,
            },
            Err(error) => {
                let exec = program.exec.display();
                tracing::warn!(resource, %exec, %error, "a custom checker cannot be started");
            }
        }
        if began.elapsed() >= LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = &mut stop => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Program {
    fn spawn(&self, resource: &str) -> io::Result<(Child, Pid)> {
        let mut command = std::process::Command::new(&self.exec);
        command.arg(self.module.as_str()).arg(resource).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // What it says is its own affair; its complaints go where safeadmin's go.
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        // SAFETY: prctl is a system call: async-signal-safe, and nothing is allocated. It ends the
        // program with safeadmin: one that came back would start a second one.
        unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
        (self.enter)(&mut command)?;
        let child = Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        // A child that was not waited for has its number.
        let pid = pid.ok_or_else(|| io::Error::other("the program has no process number"))?;
        Ok((child, Pid::from_raw(pid)))
    }
}

/// Ends the program and all of its process group, within [`TERM_LIMIT`] and [`KILL_LIMIT`].
async fn end(mut child: Child, group: Pid, resource: &str) {
    for (signal, limit) in [(Signal::SIGTERM, TERM_LIMIT), (Signal::SIGKILL, KILL_LIMIT)] {
        let limit = Instant::now() + limit;
        // An empty group is seen below.
        let _ = killpg(group, signal);
        while Instant::now() < limit {
            let reaped = child.try_wait();
            if killpg(group, None) == Err(Errno::ESRCH) {
                return;
            }
            if let Err(error) = reaped {
                tracing::warn!(resource, %error, "a custom checker cannot be waited for");
            }
            sleep(LOOK_AGAIN).await;
        }
    }
    tracing::error!(resource, "a custom checker cannot be killed: it hangs in the kernel");
}
