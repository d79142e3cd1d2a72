use super::custom::{Custom, Program};
use super::*;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// Takes reports and keeps when they came.
struct Module(UnboundedSender<(Duration, CheckerReport)>, Instant);

impl Actor for Module {
    type Context = Context<Self>;
}

impl Handler<CheckerReport> for Module {
    type Result = ();

    fn handle(&mut self, report: CheckerReport, _: &mut Self::Context) {
        self.0.send((self.1.elapsed(), report)).unwrap();
    }
}

fn module() -> (Recipient<CheckerReport>, UnboundedReceiver<(Duration, CheckerReport)>) {
    let (sender, reports) = unbounded_channel();
    (Module(sender, Instant::now()).start().recipient(), reports)
}

fn reporter(to: &Recipient<CheckerReport>, id: &str) -> Reporter {
    Reporter { epoch: 7, resource: ResourceName::new("test", id), origin: "probe".to_owned(), to: to.clone() }
}

/// Runs in an actor system whose clock stands still while anything can go on, then jumps.
fn on_paused_clock(test: impl Future<Output = ()>) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test);
}

/// Takes so long, then says up; after `down_from` probes, down.
struct Slow {
    takes: Duration,
    probes: Rc<Cell<u32>>,
    down_from: u32,
}

impl Probe for Slow {
    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn probe(&self) -> Probing {
        let (takes, nth) = (self.takes, self.probes.get());
        self.probes.set(nth + 1);
        let finding = if nth < self.down_from { Finding::Up } else { Finding::Down };
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            Observation::Found(finding)
        })
    }
}

fn slow(takes_ms: u64, down_from: u32) -> Slow {
    Slow { takes: Duration::from_millis(takes_ms), probes: Rc::new(Cell::new(0)), down_from }
}

#[test]
fn a_checker_says_init_then_probes_at_once_and_at_each_interval() {
    on_paused_clock(async {
        let (to, mut reports) = module();
        let _stop = Checker::launch(reporter(&to, "a"), slow(0, 2));
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (at, report) = reports.recv().await.unwrap();
            assert_eq!((report.epoch, report.origin.as_str()), (7, "probe"));
            seen.push((at.as_secs(), report.finding));
        }
        let expected = [(0, Finding::Init), (0, Finding::Up), (10, Finding::Up), (20, Finding::Down)];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_hanging_probe_delays_only_itself_and_ends_with_its_checker() {
    on_paused_clock(async {
        let (to, mut reports) = module();
        let hanging = slow(3_600_000, 0);
        let probes = hanging.probes.clone();
        let stop = Checker::launch(reporter(&to, "hanging"), hanging);
        let _other = Checker::launch(reporter(&to, "other"), slow(1, 99));
        let mut others = 0;
        while others < 20 {
            let (_, report) = reports.recv().await.unwrap();
            others += u32::from(report.resource.id == "other");
            assert!(report.resource.id == "other" || report.finding == Finding::Init);
        }
        assert_eq!(probes.get(), 1, "one probe at a time");
        stop.send(Stop).await.unwrap();
        assert!(!stop.connected());
    });
}

#[test]
fn a_stopped_checker_says_nothing_more() {
    on_paused_clock(async {
        let (to, mut reports) = module();
        let stop = Checker::launch(reporter(&to, "a"), slow(500, 99));
        assert_eq!(reports.recv().await.unwrap().1.finding, Finding::Init);
        stop.send(Stop).await.unwrap();
        drop((stop, to));
        assert_eq!(reports.recv().await, None);
    });
}

struct Blind;

impl Probe for Blind {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn probe(&self) -> Probing {
        Box::pin(async { Observation::Unchanged })
    }
}

#[test]
fn what_could_not_be_examined_is_not_reported() {
    on_paused_clock(async {
        let (to, mut reports) = module();
        let _blind = Checker::launch(reporter(&to, "blind"), Blind);
        let _seeing = Checker::launch(reporter(&to, "seeing"), slow(0, 99));
        let mut blind = Vec::new();
        for _ in 0..6 {
            let (_, report) = reports.recv().await.unwrap();
            if report.resource.id == "blind" {
                blind.push(report.finding);
            }
        }
        assert_eq!(blind, [Finding::Init]);
    });
}

fn program(dir: &Path, script: &str) -> Program {
    let exec = dir.join("checker.sh");
    fs::write(&exec, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&exec, fs::Permissions::from_mode(0o755)).unwrap();
    let dir = dir.to_owned();
    Program {
        module: "mirror".parse().unwrap(),
        exec,
        args: vec!["one two".to_owned()],
        env: vec![("SAFEMODULE".to_owned(), "mirror".to_owned())],
        enter: Rc::new(move |command| {
            command.current_dir(&dir);
            Ok(())
        }),
    }
}

/// Waits until the file has so many lines.
async fn lines(file: &Path, count: usize) -> Vec<String> {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if text.ends_with('\n') && lines.len() >= count {
            return lines;
        }
        assert!(std::time::Instant::now() < deadline, "{count} lines in {text:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie whose parent has not looked yet is dead.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[actix::test]
async fn a_custom_checker_gets_its_arguments_and_dies_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let (to, mut reports) = module();
    let script = "sleep 1000 & echo \"$1|$2|$3|$SAFEMODULE\n$$\n$!\" > said; wait";
    let stop = Custom::launch(reporter(&to, "x"), program(dir.path(), script));
    assert_eq!(reports.recv().await.unwrap().1.finding, Finding::Init);
    let said = lines(&dir.path().join("said"), 3).await;
    assert_eq!(said[0], "mirror|test.x|one two|mirror");
    assert!(alive(&said[1]) && alive(&said[2]));
    stop.send(Stop).await.unwrap();
    assert!(!alive(&said[1]) && !alive(&said[2]));
}

#[actix::test]
async fn a_custom_checker_that_ignores_sigterm_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (to, _reports) = module();
    let script = "trap '' TERM; echo $$ > said; while :; do sleep 1; done";
    let stop = Custom::launch(reporter(&to, "x"), program(dir.path(), script));
    let said = lines(&dir.path().join("said"), 1).await;
    stop.send(Stop).await.unwrap();
    assert!(!alive(&said[0]));
}

#[actix::test]
async fn a_custom_checker_that_exits_is_started_again_until_its_actor_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (to, _reports) = module();
    let script =
        "sleep 1000 & echo $! >> left; [ -s said ] && echo $$ >> said && wait; echo $$ > said; exit 3";
    let stop = Custom::launch(reporter(&to, "x"), program(dir.path(), script));
    let said = lines(&dir.path().join("said"), 2).await;
    let left = lines(&dir.path().join("left"), 2).await;
    assert!(!alive(&said[0]) && !alive(&left[0]), "the first one and what it left behind are gone");
    assert!(alive(&said[1]) && alive(&left[1]));
    drop(stop);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while alive(&said[1]) || alive(&left[1]) {
        assert!(std::time::Instant::now() < deadline, "the program outlives its checker");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
