//! What the node holds besides modules: templates, configurations that are kept, histories, script logs.

use super::error::ANSWER_S;
use super::observe::{date, precise_date};
use super::{Admin, AdminError, off};
use crate::control::server::Call;
use crate::control::{ConfigurationRow, HistoryRow, Reply, ReplySink, UserLogRow};
use crate::fsm::resource::ResourceName;
use crate::ids::ModuleName;
use crate::log::userlog;
use crate::node::{lastconfig, templates};
use crate::store::Assignment;
use crate::web::tls;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Values of a history that are told at most.
const HISTORY: u32 = 2_000;
/// Bytes of values that fit into one answer.
const HISTORY_BYTES: usize = 128 << 10;
/// What one value costs besides its own bytes.
const HISTORY_ROW: usize = 100;
/// Script logs that are listed.
const USERLOGS: usize = 1_000;
/// Archives held in memory at the same time, 64 MiB each: who reads slowly keeps his.
static ARCHIVES: Semaphore = Semaphore::const_new(4);

impl Admin {
    pub(super) async fn templates(&self, call: &Call) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        let rows = off(move || templates::list(&paths)).await??;
        self.say(call, Reply::Templates(rows)).await;
        Ok(0)
    }

    /// The certificate on the disk: the web service reads it again when it changes.
    pub(super) async fn certificate(&self, call: &Call) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        let report = off(move || tls::status(&paths, paths.https_switch().exists())).await?;
        self.say(call, Reply::Certificate(report.report(call.caller.lang))).await;
        Ok(0)
    }

    pub(super) async fn configurations(
        &self,
        call: &Call,
        module: Option<&ModuleName>,
    ) -> Result<i32, AdminError> {
        let dir = self.0.paths.lastconfig();
        let kept = off(move || lastconfig::list(&dir)).await??;
        let of_module = |kept: &lastconfig::Kept| module.is_none_or(|module| kept.module == *module);
        let row = |kept: lastconfig::Kept| ConfigurationRow {
            date: kept.date.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            module: kept.module,
            name: kept.name,
        };
        let rows = kept.into_iter().filter(of_module).map(row).collect();
        self.say(call, Reply::Configurations(rows)).await;
        Ok(0)
    }

    pub(super) async fn history(
        &self,
        call: &Call,
        module: &ModuleName,
        resource: &ResourceName,
        count: u32,
    ) -> Result<i32, AdminError> {
        self.slot(module, |_| ())?;
        let uservar = self.0.paths.uservar(module);
        let (store, name) = (self.0.store.module(module, &uservar), resource.clone());
        let values = off(move || {
            std::fs::create_dir_all(&uservar).map_err(|e| AdminError::Io(uservar, e))?;
            Ok::<_, AdminError>(store.resources_history(&name, count.min(HISTORY))?)
        })
        .await??;
        self.say(call, Reply::History(newest(&values))).await;
        Ok(0)
    }

    pub(super) async fn userlogs(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        self.slot(module, |_| ())?;
        let dir = self.0.paths.uservar(module);
        let files = off(move || userlog::list(&dir)).await??;
        let row = |file: userlog::Userlog| UserLogRow {
            name: file.name,
            size: file.size,
            date: date(Timestamp::try_from(file.changed).unwrap_or_default()),
        };
        let rows = files.into_iter().take(USERLOGS).map(row).collect();
        self.say(call, Reply::UserLogs(rows)).await;
        Ok(0)
    }

    pub(super) async fn userlog(
        &self,
        call: &Call,
        module: &ModuleName,
        name: &str,
    ) -> Result<i32, AdminError> {
        self.slot(module, |_| ())?;
        let (dir, file) = (self.0.paths.uservar(module), name.to_owned());
        let text = off(move || userlog::end(&dir, &file)).await??;
        let text = text.ok_or_else(|| AdminError::NoUserlog(name.to_owned(), module.clone()))?;
        let _gone = call.sink.attach(&text).await;
        Ok(0)
    }
}

impl Admin {
    /// Makes an archive and sends it.
    pub(super) async fn give(
        &self,
        call: &Call,
        make: impl FnOnce() -> Result<Vec<u8>, AdminError> + Send + 'static,
    ) -> Result<i32, AdminError> {
        give(&ARCHIVES, &call.sink, make).await
    }
}

async fn give(
    rooms: &Semaphore,
    sink: &ReplySink,
    make: impl FnOnce() -> Result<Vec<u8>, AdminError> + Send + 'static,
) -> Result<i32, AdminError> {
    // The semaphore is never closed: only the time can end this wait.
    let Ok(Ok(_room)) = timeout(Duration::from_secs(ANSWER_S), rooms.acquire()).await else {
        return Err(AdminError::Archives);
    };
    let archive = off(make).await??;
    let _gone = sink.attach(&archive).await;
    Ok(0)
}

/// The newest values that fit into one answer, oldest first.
fn newest(values: &[Assignment]) -> Vec<HistoryRow> {
    let mut room = HISTORY_BYTES;
    let fits = |value: &&Assignment| {
        let taken = value.value.len() + HISTORY_ROW;
        room = room.saturating_sub(taken);
        room > 0
    };
    let row =
        |a: &Assignment| HistoryRow { date: precise_date(a.time), micros: a.time, value: a.value.clone() };
    let mut rows: Vec<HistoryRow> = values.iter().rev().take_while(fits).map(row).collect();
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_an_archive_keeps_one_of_few_rooms() {
        let rooms = Semaphore::new(1);
        let large = || Ok(vec![7; 8 << 20]);
        let (slow, unread) = ReplySink::unread();
        let mut first = Box::pin(give(&rooms, &slow, large));
        assert!(timeout(Duration::from_secs(1), &mut first).await.is_err(), "nobody takes it");
        let (sink, _reader) = ReplySink::unread();
        let refused = give(&rooms, &sink, || unreachable!("no second one is made")).await;
        assert!(matches!(refused, Err(AdminError::Archives)), "{refused:?}");
        // Who is gone makes room.
        drop(unread);
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(give(&rooms, &sink, || Ok(Vec::new())).await.unwrap(), 0);
    }

    #[test]
    fn a_history_fits_into_one_frame() {
        let value = |n: i64| Assignment { name: "custom.x".to_owned(), value: "\u{1}".repeat(1024), time: n };
        let values: Vec<_> = (0..2_000).map(value).collect();
        let rows = newest(&values);
        assert!(rows.len() > 100 && rows.len() < 2_000, "{}", rows.len());
        assert_eq!(rows.last().unwrap().micros, 1_999, "the newest ones are there");
        assert!(crate::control::frame::encode_json(&Reply::History(rows)).is_ok());
    }
}
