//! The rows of the files: how they are written, read and printed.

use super::writer::Write;
use crate::log::{Lang, Level, LogPage, Message};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

/// An entry of a module log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Grows with every entry of this log; never used again.
    pub id: i64,
    /// Microseconds since 1970.
    pub time: i64,
    /// Who says it, e.g. `heart`.
    pub origin: String,
    /// Level.
    pub level: Level,
    /// English text.
    pub en: String,
    /// French text.
    pub fr: String,
}

impl Entry {
    /// The text in a language.
    pub fn text(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Fr => &self.fr,
        }
    }

    /// `| YYYY-MM-DD HH:MM:SS.uuuuuu | origin | L | message` (MSG-L-01), on one line whatever the text.
    pub fn line(&self, lang: Lang, zone: &TimeZone) -> String {
        let (origin, text) = (printable(&self.origin), printable(self.text(lang)));
        format!("| {} | {origin} | {} | {text}", local(self.time, zone), self.level)
    }
}

/// A value that a resource has or had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// `class.id`.
    pub name: String,
    /// The value.
    pub value: String,
    /// Microseconds since 1970: of the last assignment; in a history when the value began.
    pub time: i64,
}

/// What `clean` keeps (AMB-26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Older rows are removed, in days.
    pub days: u32,
    /// At most that many of the newest rows are kept per table.
    pub rows: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { days: 30, rows: 100_000 }
    }
}

/// `YYYY-MM-DD HH:MM:SS.uuuuuu` in local time; `time` in microseconds since 1970.
pub fn local(time: i64, zone: &TimeZone) -> String {
    let time = Timestamp::from_microsecond(time).unwrap_or_default();
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Texts come from users too: line ends and escape sequences must not pretend to be other lines.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Appends a message to a module log.
pub fn append(time: Timestamp, message: &Message) -> Write {
    let entry = Entry {
        id: 0,
        time: time.as_microsecond(),
        origin: message.origin().to_owned(),
        level: message.level(),
        en: message.text(Lang::En),
        fr: message.text(Lang::Fr),
    };
    Box::new(move |db| {
        let Entry { time, origin, en, fr, .. } = &entry;
        db.prepare_cached("INSERT INTO message (time, origin, level, en, fr) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![time, origin, entry.level.to_string(), en, fr])?;
        Ok(Some(Entry { id: db.last_insert_rowid(), ..entry.clone() }))
    })
}

/// Reads what a page may take, the newest first.
const NEWEST: &str = "SELECT id, time, origin, level, en, fr FROM message \
     WHERE id < ?1 AND instr(?2, level) > 0 ORDER BY id DESC";

/// A page of the log, oldest first.
pub fn page(db: &Connection, page: &LogPage) -> rusqlite::Result<Vec<Entry>> {
    let mut query = db.prepare(NEWEST)?;
    let found = query.query_map(params![page.before, page.filter.letters(page.all)], entry)?;
    let wanted = found.filter(|found| found.as_ref().map_or(true, |entry| taken(entry, page)));
    let mut entries = wanted.take(page.count as usize).collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}

/// First and last id of what a page takes; none if it takes nothing. Texts are read only to look for words.
pub fn span(db: &Connection, page: &LogPage) -> rusqlite::Result<Option<(i64, i64)>> {
    let taken = |row: &Row<'_>| match page.filter.text.is_empty() {
        true => row.get(0).map(Some),
        false => entry(row).map(|entry| taken(&entry, page).then_some(entry.id)),
    };
    let mut query = db.prepare(NEWEST)?;
    let found = query.query_map(params![page.before, page.filter.letters(page.all)], taken)?;
    let mut span = None;
    for id in found.filter_map(Result::transpose).take(page.count as usize) {
        let first = id?;
        span = Some((first, span.map_or(first, |(_, last)| last)));
    }
    Ok(span)
}

/// The oldest `n` entries of a span that a page takes, oldest first.
pub fn part(
    db: &Connection,
    (first, last): (i64, i64),
    n: u32,
    page: &LogPage,
) -> rusqlite::Result<Vec<Entry>> {
    let mut query = db.prepare(
        "SELECT id, time, origin, level, en, fr FROM message \
         WHERE id BETWEEN ?1 AND ?2 AND instr(?3, level) > 0 ORDER BY id",
    )?;
    let found = query.query_map(params![first, last, page.filter.letters(page.all)], entry)?;
    let wanted = found.filter(|found| found.as_ref().map_or(true, |entry| taken(entry, page)));
    wanted.take(n as usize).collect()
}

/// Words are looked for here: the letters of SQLite are those of ASCII.
fn taken(entry: &Entry, page: &LogPage) -> bool {
    page.filter.has_words(&entry.origin, entry.text(page.lang))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let level: String = row.get(3)?;
    let wrong =
        |error| rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error));
    Ok(Entry {
        id: row.get(0)?,
        time: row.get(1)?,
        origin: row.get(2)?,
        level: level.parse().map_err(wrong)?,
        en: row.get(4)?,
        fr: row.get(5)?,
    })
}

/// Notes a value; the history grows only when it is another one than before.
pub fn set_resource(name: &str, value: &str, time: Timestamp) -> Write {
    let (name, value, time) = (name.to_owned(), value.to_owned(), time.as_microsecond());
    Box::new(move |db| {
        db.prepare_cached(
            "INSERT INTO history (name, value, time) SELECT ?1, ?2, ?3 \
             WHERE ?2 IS NOT (SELECT value FROM resource WHERE name = ?1)",
        )?
        .execute(params![name, value, time])?;
        db.prepare_cached(
            "INSERT INTO resource (name, value, time) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name) DO UPDATE SET value = ?2, time = ?3",
        )?
        .execute(params![name, value, time])?;
        Ok(None)
    })
}

/// All resources by name.
pub fn resources(db: &Connection) -> rusqlite::Result<Vec<Assignment>> {
    db.prepare("SELECT name, value, time FROM resource ORDER BY name")?.query_map([], assignment)?.collect()
}

/// The newest `n` values of one resource, oldest first.
pub fn history(db: &Connection, name: &str, n: u32) -> rusqlite::Result<Vec<Assignment>> {
    let mut query =
        db.prepare("SELECT name, value, time FROM history WHERE name = ?1 ORDER BY id DESC LIMIT ?2")?;
    let mut values = query.query_map(params![name, n], assignment)?.collect::<Result<Vec<_>, _>>()?;
    values.reverse();
    Ok(values)
}

fn assignment(row: &Row<'_>) -> rusqlite::Result<Assignment> {
    Ok(Assignment { name: row.get(0)?, value: row.get(1)?, time: row.get(2)? })
}

/// Removes what the retention does not keep from a table.
pub fn clean(table: &'static str, now: Timestamp, retention: Retention) -> Write {
    let age = SignedDuration::from_hours(24 * i64::from(retention.days));
    let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond();
    Box::new(move |db| {
        let newest = format!("SELECT id FROM {table} ORDER BY id DESC LIMIT 1 OFFSET ?2");
        db.execute(
            &format!("DELETE FROM {table} WHERE time < ?1 OR id <= ({newest})"),
            params![oldest, retention.rows],
        )?;
        Ok(None)
    })
}
