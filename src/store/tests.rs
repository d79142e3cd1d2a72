use super::rows::local;
use super::writer::QUEUE;
use super::{ModuleStore, Retention, Store, StoreError};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::log::syslog::Syslog;
use crate::log::{Lang, Level, LogFilter, LogPage, Message};
use crate::told::Told;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_628_239_240 + seconds).unwrap()
}

fn error(text: &str) -> Message {
    Message::Error(Told::same(text))
}

fn name() -> ModuleName {
    "mirror".parse().unwrap()
}

fn store(dir: &Path) -> Store {
    Store::start(dir, Syslog::new(dir.join("no-journal"))).unwrap()
}

fn module() -> (TempDir, Store, ModuleStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let uservar = dir.path().join("mirror");
    fs::create_dir(&uservar).unwrap();
    let module = store.module(&name(), &uservar);
    (dir, store, module)
}

/// The English texts of the log.
fn texts(module: &ModuleStore) -> Vec<String> {
    module.tail(100_000, true).unwrap().into_iter().map(|e| e.en).collect()
}

/// Holds the writer in the middle of a transaction, until the sender is used or dropped.
fn hold(module: &ModuleStore) -> Sender<()> {
    let ((entered, inside), (release, released)) = (channel(), channel());
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    module.writer.write(
        &module.log,
        Box::new(move |_| {
            entered.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(None)
        }),
    );
    inside.recv_timeout(Duration::from_secs(30)).unwrap();
    release
}

#[test]
fn a_line_of_the_log_is_that_of_the_guide() {
    let (_dir, _store, module) = module();
    let time: Timestamp = "2021-08-06T08:40:20.909224Z".parse().unwrap();
    module.append(time, &Message::LocalState(Role::Alone, Readiness::Ready));
    module.append(time, &error("two\nlines \u{1b}[31m"));
    let entries = module.tail(300, false).unwrap();
    assert_eq!(
        entries[0].line(Lang::En, &TimeZone::UTC),
        "| 2021-08-06 08:40:20.909224 | heart | E | Local state ALONE Ready"
    );
    let paris = TimeZone::fixed(jiff::tz::offset(2));
    assert_eq!(
        entries[0].line(Lang::Fr, &paris),
        "| 2021-08-06 10:40:20.909224 | heart | E | État local ALONE Ready"
    );
    assert!(entries[1].line(Lang::En, &paris).ends_with("| C | two lines  [31m"));
}

#[test]
fn the_tail_has_all_that_was_appended_before() {
    let (_dir, _store, module) = module();
    for n in 0..3000 {
        module.append(at(n), &error(&n.to_string()));
        module.append(at(n), &Message::Print(Level::D, "detail".into()));
    }
    let main = module.tail(300, false).unwrap();
    assert_eq!(main.len(), 300);
    assert_eq!((main[0].en.as_str(), main[299].en.as_str()), ("2700", "2999"));
    let all = module.tail(2, true).unwrap();
    assert_eq!((all[0].en.as_str(), all[1].en.as_str()), ("2999", "detail"));
}

#[test]
fn a_page_has_what_its_filter_takes_however_old_it_is() {
    let (_dir, _store, module) = module();
    module.append(at(0), &Message::Print(Level::C, "Disque PERDU".into()));
    for n in 0..1000 {
        module.append(at(n), &Message::Print(Level::E, n.to_string()));
        module.append(at(n), &Message::Print(Level::W, "disque lent".into()));
    }
    let page = |before, all, levels: &[Level], text: &str| {
        let filter = LogFilter { levels: levels.to_vec(), text: text.to_owned() };
        let found = module.page(&LogPage { before, count: 2, all, filter, lang: Lang::Fr }).unwrap();
        found.into_iter().map(|entry| (entry.id, entry.en)).collect::<Vec<_>>()
    };
    let first = [(1, "Disque PERDU".to_owned())];
    assert_eq!(page(i64::MAX, false, &[Level::C], ""), first);
    assert_eq!(page(i64::MAX, false, &[], "perdu disque"), first);
    assert_eq!(page(i64::MAX, false, &[Level::E], "perdu"), []);
    // Verbose ones only with the rest of them.
    assert_eq!(page(i64::MAX, false, &[Level::W], ""), []);
    assert_eq!(
        page(6, true, &[Level::W, Level::C], "disque"),
        [(3, "disque lent".to_owned()), (5, "disque lent".to_owned())]
    );
    assert_eq!(page(3, true, &[Level::W, Level::C], "disque"), first);
}

#[test]
fn a_log_is_read_part_by_part() {
    let (_dir, _store, module) = module();
    for n in 0..10 {
        module.append(at(n), &error(&n.to_string()));
        module.append(at(n), &Message::Print(Level::D, "detail".into()));
    }
    let texts = |before, n, all| {
        let of = LogPage { before, count: n, all, filter: LogFilter::default(), lang: Lang::En };
        let Some((mut first, last)) = module.span(&of).unwrap() else { return Vec::new() };
        // What comes while it is read is not of it.
        module.append(at(99), &error("later"));
        let mut texts = Vec::new();
        loop {
            let part = module.part((first, last), 3, &of).unwrap();
            assert!(part.len() <= 3);
            let Some(newest) = part.last() else { return texts };
            first = newest.id + 1;
            texts.extend(part.into_iter().map(|entry| entry.en));
        }
    };
    assert_eq!(texts(i64::MAX, 300, false), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    module.clear_log().unwrap();
    assert!(texts(i64::MAX, 300, true).is_empty());
    for n in 0..6 {
        module.append(at(n), &error(&n.to_string()));
        module.append(at(n), &Message::Print(Level::D, "detail".into()));
    }
    let third = module.tail(300, false).unwrap()[2].id;
    assert_eq!(texts(third, 300, true), ["0", "detail", "1", "detail"], "what is before it");
    assert_eq!(texts(third, 3, true), ["detail", "1", "detail"], "the newest of them");
    assert!(texts(i64::MAX, 0, true).is_empty());
}

#[test]
fn followers_see_each_entry_once_and_with_its_id() {
    let (_dir, _store, module) = module();
    module.append(at(0), &error("before"));
    let mut follower = module.subscribe();
    module.append(at(1), &error("first"));
    let known = module.tail(300, true).unwrap().last().unwrap().id;
    module.append(at(2), &error("second"));
    module.append(at(3), &error("third"));
    let all = module.tail(300, true).unwrap();
    let mut new = vec![];
    while let Ok(entry) = follower.try_recv() {
        new.extend((entry.id > known).then_some(entry));
    }
    assert_eq!(new, all[2..]);
}

#[test]
fn an_overflow_is_counted_and_said_in_one_line() {
    let (_dir, _store, module) = module();
    let release = hold(&module);
    for n in 0..QUEUE + 5 {
        module.append(at(0), &error(&n.to_string()));
    }
    assert_eq!(module.tail(1, true), Err(StoreError::Busy(module.log.path.clone())));
    drop(release);
    // The first flush that finds room comes after everything that was queued.
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while module.writer.flush(&module.log).is_err() {
        assert!(std::time::Instant::now() < deadline, "the queue does not become empty");
        std::thread::yield_now();
    }
    module.append(at(0), &error("after"));
    let texts = texts(&module);
    let lost: Vec<_> = texts.iter().filter(|t| t.contains("messages lost")).collect();
    assert_eq!(lost, ["5 messages lost: they could not be written to the log"]);
    assert_eq!(texts.len(), QUEUE + 2);
}

#[test]
fn logs_survive_a_restart_and_close() {
    let (dir, first, module) = module();
    module.append(at(0), &error("kept"));
    module.set_resource(&"tcp.id".parse().unwrap(), &Value::Up, at(0));
    first.commands().start(at(0), None, 1, "start");
    first.set_resource("module.mirror", "installed", at(0));
    first.close().unwrap();
    for file in ["log.db-wal", "resource.db-wal", "mirror/log.db-wal", "mirror/resource.db-wal"] {
        assert!(!dir.path().join(file).exists(), "closing writes everything into the file");
    }
    let second = store(dir.path());
    let module = second.module(&name(), &dir.path().join("mirror"));
    assert_eq!(texts(&module), ["kept"]);
    assert_eq!(module.resources().unwrap()[0].value, "up");
    assert_eq!(second.commands().list(9).unwrap().len(), 1);
    assert_eq!(second.resources().unwrap()[0].name, "module.mirror");
}

#[test]
fn a_closed_module_leaves_its_directory_alone() {
    let (dir, store, _) = module();
    let uservar = dir.path().join("uservar");
    fs::create_dir(&uservar).unwrap();
    let farm: ModuleName = "farm".parse().unwrap();
    let module = store.module(&farm, &uservar);
    module.append(at(0), &error("x"));
    assert_eq!(texts(&store.module(&farm, &uservar)), ["x"]);
    store.close_module(&farm).unwrap();
    fs::remove_dir_all(&uservar).unwrap();
    store.close_module(&farm).unwrap();
    store.close().unwrap();
    assert!(!uservar.exists());
}

#[test]
fn a_damaged_log_is_moved_aside_and_said() {
    let (dir, _store, module) = module();
    fs::write(dir.path().join("mirror/log.db"), vec![b'x'; 8192]).unwrap();
    module.append(at(0), &error("goes on"));
    let texts = texts(&module);
    assert_eq!(texts.len(), 2);
    assert!(texts[0].starts_with("The log was damaged: it was moved to "), "{texts:?}");
    assert_eq!(texts[1], "goes on");
    let moved = texts[0].rsplit(' ').next().unwrap();
    assert!(moved.contains("log.db.corrupt-"));
    assert_eq!(fs::read(moved).unwrap(), vec![b'x'; 8192]);
}

#[test]
fn a_log_damaged_while_open_loses_nothing_that_is_still_queued() {
    let (dir, _store, module) = module();
    for n in 0..200 {
        module.append(at(n), &error(&"x".repeat(200)));
    }
    module.writer.execute(&module.log, checkpoint()).unwrap();
    let path = dir.path().join("mirror/log.db");
    let size = fs::metadata(&path).unwrap().len() as usize;
    fs::write(&path, vec![0xff; size]).unwrap();
    module.append(at(0), &error("goes on"));
    let texts = texts(&module);
    assert_eq!(texts.last().map(String::as_str), Some("goes on"));
    assert!(texts[0].starts_with("The log was damaged"), "{texts:?}");
}

/// Moves the pages of the write-ahead log into the file, and forgets the cached ones.
fn checkpoint() -> super::writer::Write {
    Box::new(|db| {
        db.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory; BEGIN")
            .map(|()| None)
    })
}

#[test]
fn an_unusable_directory_is_an_error_to_readers_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let uservar = dir.path().join("later");
    let module = store.module(&name(), &uservar);
    module.append(at(0), &error("lost"));
    let refused = module.tail(1, true).unwrap_err();
    assert!(refused.to_string().contains("later/log.db"), "{refused}");
    fs::create_dir(&uservar).unwrap();
    module.append(at(1), &error("kept"));
    assert_eq!(texts(&module)[0], "kept");
    assert_eq!(texts(&module)[1], "1 messages lost: they could not be written to the log");
}

#[test]
fn resources_keep_their_last_value_and_a_history_of_changes() {
    let (_dir, _store, module) = module();
    let tcp: ResourceName = "tcp.id".parse().unwrap();
    for (second, value) in [(0, Value::Init), (1, Value::Up), (2, Value::Up), (3, Value::Down)] {
        module.set_resource(&tcp, &value, at(second));
    }
    module.set_resource(&"ping.id".parse().unwrap(), &Value::Up, at(9));
    let history = module.resources_history(&tcp, 2).unwrap();
    let values: Vec<_> = history.iter().map(|a| (a.value.as_str(), a.time)).collect();
    assert_eq!(values, [("up", at(1).as_microsecond()), ("down", at(3).as_microsecond())]);
    let now = module.resources().unwrap();
    assert_eq!(now.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["ping.id", "tcp.id"]);
    module.clear_resources().unwrap();
    assert!(module.resources().unwrap().is_empty());
    assert!(module.resources_history(&tcp, 9).unwrap().is_empty());
}

#[test]
fn clearing_the_log_never_uses_an_id_again() {
    let (_dir, _store, module) = module();
    module.append(at(0), &error("a"));
    let before = module.tail(1, true).unwrap()[0].id;
    module.clear_log().unwrap();
    assert!(texts(&module).is_empty());
    module.append(at(0), &error("b"));
    assert!(module.tail(1, true).unwrap()[0].id > before);
}

#[test]
fn cleaning_keeps_what_is_new_and_not_too_much() {
    let (_dir, _store, module) = module();
    const DAY: i64 = 86_400;
    for day in 0..40 {
        module.append(at(day * DAY), &error(&day.to_string()));
    }
    module.clean(at(40 * DAY), Retention { days: 30, rows: 100 }).unwrap();
    assert_eq!(texts(&module).first().map(String::as_str), Some("10"));
    module.clean(at(40 * DAY), Retention { days: 30, rows: 3 }).unwrap();
    assert_eq!(texts(&module), ["37", "38", "39"]);
}

#[test]
fn the_command_log_is_that_of_the_guide() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let commands = store.commands();
    commands.start(time("2021-07-27T14:37:33.205122Z"), Some("mirror"), 6883, "config -m mirror");
    commands.end(time("2021-07-27T14:37:34.193280Z"), 6883, 0);
    commands.event(time("2021-07-27T14:37:35Z"), None, "update cluster state");
    let lines: Vec<_> = commands.list(10).unwrap().iter().map(|e| e.line(&TimeZone::UTC)).collect();
    assert_eq!(
        lines,
        [
            "| 2021-07-27 14:37:33.205122 | safekit | mirror | 6883 | START | config -m mirror",
            "| 2021-07-27 14:37:34.193280 | | | 6883 | END | 0",
            "| 2021-07-27 14:37:35.000000 | cluster | | 0 | I | update cluster state",
        ]
    );
    assert_eq!(commands.list(1).unwrap()[0].arguments, "update cluster state");
    store.clean(at(400 * 86_400), Retention::default()).unwrap();
    assert!(commands.list(10).unwrap().is_empty());
}

#[test]
fn many_threads_write_and_nothing_is_lost() {
    let (_dir, _store, module) = module();
    let module = Arc::new(module);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let module = Arc::clone(&module);
            scope.spawn(move || (0..500).for_each(|n| module.append(at(n), &error(&thread.to_string()))));
        }
    });
    assert_eq!(texts(&module).len(), 2000);
}

#[test]
fn a_time_out_of_range_is_still_printed() {
    assert_eq!(local(i64::MAX, &TimeZone::UTC), "1970-01-01 00:00:00.000000");
}
