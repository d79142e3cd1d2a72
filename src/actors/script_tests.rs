use super::*;
use actix::prelude::*;
use std::fs;
use tokio::sync::mpsc;

/// A directory of scripts, and where they are found.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn new() -> Scripts {
        Scripts(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A script with this body, run in the directory's name.
    fn job(&self, name: &str, body: &str) -> ScriptJob {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\ncd {}\n{body}\n", self.0.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        ScriptJob {
            module: "mirror".parse().unwrap(),
            name: name.to_owned(),
            path,
            args: Vec::new(),
            env: Vec::new(),
            userlog: None,
            timeout: None,
            group: AppGroup::by_mark(&"mirror".parse().unwrap(), self.0.path()).unwrap(),
        }
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        if let Ok(group) = AppGroup::by_mark(&"mirror".parse().unwrap(), self.0.path()) {
            let _ = group.kill_until_empty(std::time::Instant::now() + Duration::from_secs(5));
        }
    }
}

async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "{what} did not happen");
        sleep(Duration::from_millis(2)).await;
    }
}

fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Runs to the end, never cancelled.
async fn run(job: &ScriptJob) -> ScriptEnd {
    match job.start() {
        Ok(running) => running.ended(Canceller::new().1).await,
        Err(end) => end,
    }
}

#[tokio::test]
async fn arguments_environment_and_log() {
    let scripts = Scripts::new();
    let mut job = scripts.job("start_prim", "echo \"$# $@ $SAFEMODULE\"; echo wrong >&2; cat; exit 7");
    job.args = ["WAIT", "ALONE", "a b"].map(str::to_owned).to_vec();
    job.env = vec![("SAFEMODULE".to_owned(), "mirror".to_owned())];
    job.userlog = Some(scripts.path("log.ulog"));
    assert_eq!(run(&job).await, ScriptEnd::Exited(7));
    assert_eq!(run(&job).await, ScriptEnd::Exited(7));
    let log = scripts.read("log.ulog");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 6, "{log}");
    let header = regex::Regex::new(r"^----- \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d start_prim$").unwrap();
    for run in lines.chunks(3) {
        assert!(header.is_match(run[0]), "{log}");
        assert_eq!(run[1..], ["3 WAIT ALONE a b mirror", "wrong"]);
    }
}

#[tokio::test]
async fn ends_are_told_apart() {
    let scripts = Scripts::new();
    assert_eq!(run(&scripts.job("good", "exit 0")).await, ScriptEnd::Exited(0));
    let leads_its_session =
        "read -r _ _ _ _ group session _ < /proc/$$/stat; [ $group = $$ ] && [ $session = $$ ]";
    assert_eq!(run(&scripts.job("leader", leads_its_session)).await, ScriptEnd::Exited(0));
    assert_eq!(run(&scripts.job("killed", "kill -9 $$")).await, ScriptEnd::Signaled(9));
    let mut job = scripts.job("gone", "");
    fs::remove_file(&job.path).unwrap();
    assert_eq!(run(&job).await, ScriptEnd::Missing);
    fs::write(&job.path, "#!/bin/sh\n").unwrap();
    let ScriptEnd::Failed(text) = run(&job).await else { panic!("not executable") };
    assert!(text.ends_with("is not executable: chmod +x it"), "{text}");
    job = scripts.job("odd", "");
    fs::write(&job.path, "#!/nonexistent/interpreter\n").unwrap();
    let ScriptEnd::Failed(text) = run(&job).await else { panic!("no interpreter") };
    assert!(text.contains("does the interpreter of its first line exist?"), "{text}");
    job = scripts.job("log", "");
    job.userlog = Some(scripts.path("nodir/log.ulog"));
    let ScriptEnd::Failed(text) = run(&job).await else { panic!("no log") };
    assert!(text.contains("nodir/log.ulog"), "{text}");
}

/// D-14b: a stop script that hangs, with a child in its process group, and deaf to SIGTERM.
#[tokio::test]
async fn a_hanging_script_is_killed_with_its_group_but_not_the_daemon() {
    let scripts = Scripts::new();
    let body = "setsid sh -c 'echo $$ > daemon.new; mv daemon.new daemon; exec sleep 1000' &\n\
                trap '' TERM\nsleep 1000 & echo $! > child\nwhile :; do wait; done";
    let mut job = scripts.job("stop_prim", body);
    job.timeout = Some(Duration::from_millis(300));
    let begun = Instant::now();
    let running = job.start().unwrap();
    let pid = running.pid().to_string();
    assert_eq!(running.ended(Canceller::new().1).await, ScriptEnd::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!alive(&pid));
    eventually("the end of the child", || (!alive(&scripts.read("child"))).then_some(())).await;
    let daemon = scripts.read("daemon");
    assert!(!daemon.is_empty() && alive(&daemon), "what left the group stays");
}

#[tokio::test]
async fn a_polite_script_ends_at_sigterm_and_takes_its_group_along() {
    let scripts = Scripts::new();
    let mut job = scripts.job("stop_both", "(trap '' TERM; echo > up; sleep 1000; sleep 1000) &\nwait");
    job.timeout = Some(Duration::from_secs(60));
    let (canceller, cancelled) = Canceller::new();
    let running = job.start().unwrap();
    eventually("the start", || scripts.path("up").exists().then_some(())).await;
    canceller.cancel();
    assert_eq!(running.ended(cancelled).await, ScriptEnd::Cancelled);
    eventually("an empty group", || job.group.is_empty().unwrap().then_some(())).await;
}

/// Passes events on to a test, once its gate is open.
struct Listener {
    events: mpsc::Sender<ScriptEvent>,
    gate: Option<oneshot::Receiver<()>>,
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(1);
        if let Some(gate) = self.gate.take() {
            ctx.wait(gate.into_actor(self).map(|_, _, _| ()));
        }
    }
}

impl Handler<ScriptEvent> for Listener {
    type Result = ();

    fn handle(&mut self, event: ScriptEvent, _: &mut Context<Self>) {
        self.events.try_send(event).unwrap();
    }
}

fn runner() -> (Addr<ScriptRunner>, mpsc::Receiver<ScriptEvent>) {
    gated_runner(None)
}

fn gated_runner(gate: Option<oneshot::Receiver<()>>) -> (Addr<ScriptRunner>, mpsc::Receiver<ScriptEvent>) {
    let (sender, events) = mpsc::channel(1000);
    (ScriptRunner::new(Listener { events: sender, gate }.start().recipient()).start(), events)
}

async fn next(events: &mut mpsc::Receiver<ScriptEvent>) -> (u64, ScriptEventKind) {
    let event = timeout(Duration::from_secs(2000), events.recv()).await.expect("an event").unwrap();
    assert_eq!(event.epoch, 5);
    (event.id, event.kind)
}

async fn ask(runner: &Addr<ScriptRunner>, id: u64, job: ScriptJob) -> Result<(), RunError> {
    runner.send(Run { epoch: 5, id, job }).await.unwrap()
}

#[actix::test]
async fn scripts_run_one_after_the_other() {
    let scripts = Scripts::new();
    let (runner, mut events) = runner();
    let wait = "while [ ! -e go ]; do sleep 0.01; done; echo 1 >> order";
    ask(&runner, 1, scripts.job("one", wait)).await.unwrap();
    ask(&runner, 2, scripts.job("two", "echo 2 >> order; exit 3")).await.unwrap();
    let mut missing = scripts.job("three", "");
    missing.path = scripts.path("none");
    ask(&runner, 3, missing).await.unwrap();
    assert!(matches!(next(&mut events).await, (1, ScriptEventKind::Started(pid)) if pid > 1));
    assert!(!scripts.path("order").exists());
    fs::write(scripts.path("go"), "").unwrap();
    assert_eq!(next(&mut events).await, (1, ScriptEventKind::Ended(ScriptEnd::Exited(0))));
    assert!(matches!(next(&mut events).await, (2, ScriptEventKind::Started(_))));
    assert_eq!(next(&mut events).await, (2, ScriptEventKind::Ended(ScriptEnd::Exited(3))));
    assert_eq!(next(&mut events).await, (3, ScriptEventKind::Ended(ScriptEnd::Missing)));
    assert_eq!(scripts.read("order"), "1\n2\n");
}

#[actix::test]
async fn kill_reaches_running_and_waiting_scripts() {
    let scripts = Scripts::new();
    let (runner, mut events) = runner();
    let endless = scripts.job("endless", "sleep 1000");
    for id in 0..=QUEUE_LIMIT as u64 {
        ask(&runner, id, endless.clone()).await.unwrap();
    }
    assert_eq!(ask(&runner, 99, endless).await, Err(RunError::QueueFull));
    assert!(matches!(next(&mut events).await, (0, ScriptEventKind::Started(_))));
    for id in (1..=QUEUE_LIMIT as u64).rev() {
        assert!(runner.send(Kill { id }).await.unwrap());
        assert_eq!(next(&mut events).await, (id, ScriptEventKind::Ended(ScriptEnd::Cancelled)));
    }
    assert!(runner.send(Kill { id: 0 }).await.unwrap());
    assert_eq!(next(&mut events).await, (0, ScriptEventKind::Ended(ScriptEnd::Cancelled)));
    assert!(!runner.send(Kill { id: 0 }).await.unwrap(), "it has ended");
}

#[actix::test]
async fn events_survive_a_full_mailbox_and_are_bounded() {
    let scripts = Scripts::new();
    let (open, gate) = oneshot::channel();
    let (runner, mut events) = gated_runner(Some(gate));
    let mut job = scripts.job("none", "");
    job.path = scripts.path("missing");
    let mut accepted = 0;
    while ask(&runner, accepted, job.clone()).await.is_ok() {
        accepted += 1;
        assert!(accepted < 1000, "never refused");
    }
    assert!(accepted >= 64, "{accepted}");
    assert_eq!(ask(&runner, 0, job).await, Err(RunError::Undelivered));
    open.send(()).unwrap();
    for id in 0..accepted {
        assert_eq!(next(&mut events).await, (id, ScriptEventKind::Ended(ScriptEnd::Missing)));
    }
}

/// Virtual time: the minutes pass while nothing else can happen.
#[test]
fn a_script_without_timeout_is_reported_each_minute() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(async {
        let scripts = Scripts::new();
        let (runner, mut events) = runner();
        ask(&runner, 1, scripts.job("start_prim", "while [ ! -e go ]; do sleep 0.01; done")).await.unwrap();
        assert!(matches!(next(&mut events).await, (1, ScriptEventKind::Started(_))));
        for minute in 1..=3 {
            assert_eq!(next(&mut events).await, (1, ScriptEventKind::StillRunning(60 * minute)));
        }
        fs::write(scripts.path("go"), "").unwrap();
        loop {
            match next(&mut events).await {
                (1, ScriptEventKind::StillRunning(_)) => {}
                last => return assert_eq!(last, (1, ScriptEventKind::Ended(ScriptEnd::Exited(0)))),
            }
        }
    });
}
