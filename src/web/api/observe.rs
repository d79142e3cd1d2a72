//! What a module shows: state, reasons, logs, histories.

use super::Asking;
use super::asking::unsaid;
use super::node::{MOST, USUAL};
use super::types::{ClientQuery, HistoryCount, LogQuery, StateQuery, TextQuery};
use crate::control::async_client::{Answer, Missed, Piece};
use crate::control::{
    ExplainReport, FarmReport, HistoryRow, LogLine, OwnerRow, Reply, Request, RescueReport, RescueRequest,
    StateReport, UserLogRow,
};
use crate::fsm::resource::ResourceName;
use crate::ids::ModuleName;
use crate::log::{Lang, Level, LogFilter};
use crate::rfs::rescue::Archive;
use crate::told::{Tell, Told, told};
use crate::web::pace::Long;
use crate::web::problem::Problem;
use actix_web::web::{Bytes, Json, Path, Query};
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream::{StreamExt, iter, unfold};

/// What a log is as a file.
const TEXT: &str = "text/plain; charset=utf-8";

/// The first reply of a lasting answer that `pick` takes.
pub(super) async fn first<T>(
    asking: &Asking,
    request: Request,
    pick: impl Fn(Reply) -> Option<T>,
) -> Result<T, Problem> {
    let mut answer = asking.ask(request, Vec::new()).await?;
    answer.until(pick).await.map_err(|missed| match missed {
        Missed::Refused(failure) => failure.into(),
        Missed::Ended => Problem::internal(unsaid()),
        Missed::Client(error) => crate::web::ask::AskError::from(error).into(),
    })
}

/// State and resources of the module.
#[utoipa::path(get, path = "/modules/{module}/state", tag = "module", params(("module" = String, Path), StateQuery),
    responses((status = 200, body = StateReport)))]
pub async fn state(
    asking: Asking,
    module: Path<Module>,
    query: Query<StateQuery>,
) -> Result<Json<StateReport>, Problem> {
    let module = module.into_inner().module;
    let pick = |reply| match reply {
        Reply::State(states) => Some(states.into_iter().next()),
        _ => None,
    };
    let named = Some(module.clone());
    let state = if query.script {
        asking.one(Request::State { module: named, verbose: true }, pick).await?
    } else {
        first(&asking, Request::Watch { module: named }, pick).await?
    };
    let why = || not_configured(&module);
    let state = state.ok_or_else(|| Problem::refused(why()))?;
    Ok(Json(state))
}

/// Why a module has no state: it is only installed.
pub fn not_configured(module: &ModuleName) -> Told {
    told!(
        "module {module} is not configured: run \"safekit config -m {module}\"",
        "le module {module} n'est pas configuré : exécutez \"safekit config -m {module}\""
    )
}

/// Why the module is in its state, and what to do.
#[utoipa::path(get, path = "/modules/{module}/explain", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = ExplainReport)))]
pub async fn explain(asking: Asking, path: Path<Module>) -> Result<Json<ExplainReport>, Problem> {
    let report = asking.one(Request::Explain { module: path.into_inner().module }, |reply| match reply {
        Reply::Explain(report) => Some(report),
        _ => None,
    });
    Ok(Json(report.await?))
}

/// Values that a resource had, oldest first.
#[utoipa::path(get, path = "/modules/{module}/resources/{resource}/history", tag = "module",
    params(("module" = String, Path), ("resource" = String, Path), HistoryCount), responses((status = 200, body = [HistoryRow])))]
pub async fn history(
    asking: Asking,
    path: Path<Resource>,
    query: Query<HistoryCount>,
) -> Result<Json<Vec<HistoryRow>>, Problem> {
    let Resource { module, resource } = path.into_inner();
    let resource = resource_name(&resource)?;
    let count = query.count.unwrap_or(USUAL);
    let rows = asking.rows(Request::History { module, resource, count }, |reply| match reply {
        Reply::History(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The name of a resource in a path.
pub(super) fn resource_name(text: &str) -> Result<ResourceName, Problem> {
    text.parse().map_err(|e: <ResourceName as std::str::FromStr>::Err| Problem::bad_request(e.told()))
}

/// The last messages of the module log, oldest first.
#[utoipa::path(get, path = "/modules/{module}/log", tag = "module", params(("module" = String, Path), LogQuery),
    responses((status = 200, body = [LogLine])))]
pub async fn log(
    asking: Asking,
    path: Path<Module>,
    query: Query<LogQuery>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    Ok(Json(lines(&asking, path.into_inner().module, &query).await?))
}

/// The same as text, to keep: the whole log, without a count.
#[utoipa::path(get, path = "/modules/{module}/log.txt", tag = "module", params(("module" = String, Path), TextQuery),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn log_text(
    asking: Asking,
    path: Path<Module>,
    query: Query<TextQuery>,
) -> Result<HttpResponse, Problem> {
    let module = path.into_inner().module;
    let name = format!("{}_{module}.log.txt", asking.node());
    let TextQuery { count, all, lang: language } = query.into_inner();
    if count.is_some_and(|count| count <= MOST) {
        let query = LogQuery { count, all, lang: language, before: None, levels: None, text: None };
        let text = text(lines(&asking, module, &query).await?);
        return Ok(download(TEXT, &name, text.into()));
    }
    let lang = lang(language.as_deref())?;
    let request =
        Request::Log { module, count, all, lang, follow: false, before: None, filter: LogFilter::default() };
    let mut answer = asking.ask(request, Vec::new()).await?;
    // A refusal comes first: afterwards the answer has begun.
    let begin = text_piece(&mut answer).await?;
    let rest = unfold(answer, |mut answer| async move {
        let piece = text_piece(&mut answer).await.transpose()?;
        Some((piece, answer))
    });
    let pieces = iter(begin.map(Ok)).chain(rest);
    Ok(download_as(TEXT, &name).body(Long::stream(pieces)))
}

/// The next lines of a log as text, none at its end.
async fn text_piece(answer: &mut Answer) -> Result<Option<Bytes>, Problem> {
    while let Some(piece) = answer.next().await.map_err(crate::web::ask::AskError::from)? {
        match piece {
            Piece::Reply(Reply::Log(lines)) => return Ok(Some(text(lines).into())),
            Piece::Reply(Reply::Error(failure)) => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(None)
}

fn text(lines: Vec<LogLine>) -> String {
    let line =
        |LogLine { date, origin, level, text, .. }: LogLine| format!("{date} {origin} {level} {text}\n");
    lines.into_iter().map(line).collect()
}

/// What a browser saves under a name.
pub(super) fn download(kind: &str, name: &str, bytes: Vec<u8>) -> HttpResponse {
    download_as(kind, name).body(bytes)
}

fn download_as(kind: &str, name: &str) -> HttpResponseBuilder {
    // Names of nodes and modules have letters, digits, '-', '_' and '.' only.
    let disposition = format!("attachment; filename=\"{}\"", name.trim_start_matches('_'));
    let mut response = HttpResponse::Ok();
    response.content_type(kind).insert_header(("Content-Disposition", disposition));
    response
}

async fn lines(asking: &Asking, module: ModuleName, query: &LogQuery) -> Result<Vec<LogLine>, Problem> {
    let LogQuery { count, all, lang: language, before, levels, text } = query;
    let levels = self::levels(levels.as_deref().unwrap_or_default())?;
    let request = Request::Log {
        module,
        count: Some(count.unwrap_or(USUAL).min(MOST)),
        all: *all,
        lang: lang(language.as_deref())?,
        follow: false,
        before: *before,
        filter: LogFilter { levels, text: text.clone().unwrap_or_default() },
    };
    let pick = |reply| match reply {
        Reply::Log(lines) => Some(lines),
        _ => None,
    };
    asking.rows(request, pick).await
}

/// Levels of messages by their letters, with commas between; none of an empty text.
fn levels(text: &str) -> Result<Vec<Level>, Problem> {
    let letters = text.split(',').filter(|_| !text.is_empty());
    letters
        .map(|letter| {
            letter.parse().map_err(|_| {
                Problem::bad_request(told!(
                    "levels=\"{text}\": there are C, E, U, S, W, I and D",
                    "levels=\"{text}\" : il y a C, E, U, S, W, I et D"
                ))
            })
        })
        .collect()
}

/// Language of the texts; English without a word.
pub fn lang(text: Option<&str>) -> Result<Lang, Problem> {
    match text {
        None | Some("en") => Ok(Lang::En),
        Some("fr") => Ok(Lang::Fr),
        Some(other) => Err(Problem::bad_request(told!(
            "lang=\"{other}\": there are en and fr",
            "lang=\"{other}\" : il y a en et fr"
        ))),
    }
}

/// The logs of the module's scripts.
#[utoipa::path(get, path = "/modules/{module}/userlogs", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = [UserLogRow])))]
pub async fn user_logs(asking: Asking, path: Path<Module>) -> Result<Json<Vec<UserLogRow>>, Problem> {
    let rows = asking.rows(Request::UserLogs { module: path.into_inner().module }, |reply| match reply {
        Reply::UserLogs(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The end of the log of a script, 1 MiB at most.
#[utoipa::path(get, path = "/modules/{module}/userlogs/{name}", tag = "module",
    params(("module" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn user_log(asking: Asking, path: Path<UserLog>) -> Result<HttpResponse, Problem> {
    let UserLog { module, name } = path.into_inner();
    let bytes = asking.attachment(Request::UserLog { module, name }).await?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(bytes))
}

/// Archives of files that were replaced after a split brain.
#[utoipa::path(get, path = "/modules/{module}/rescue", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = [Archive])))]
pub async fn rescue(asking: Asking, path: Path<Module>) -> Result<Json<Vec<Archive>>, Problem> {
    let request = Request::Rescue { module: path.into_inner().module, request: RescueRequest::List };
    let rows = asking.rows(request, |reply| match reply {
        Reply::Rescue(RescueReport::Archives(archives)) => Some(archives),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// Which node answers a client of the farm.
#[utoipa::path(get, path = "/modules/{module}/farm/owner", tag = "module", params(("module" = String, Path), ClientQuery),
    responses((status = 200, body = [OwnerRow])))]
pub async fn farm_owner(
    asking: Asking,
    path: Path<Module>,
    query: Query<ClientQuery>,
) -> Result<Json<Vec<OwnerRow>>, Problem> {
    let (module, ClientQuery { client, port }) = (path.into_inner().module, query.into_inner());
    let rows = asking.rows(Request::FarmOwner { module, client, port }, |reply| match reply {
        Reply::Farm(FarmReport::Owners(rows)) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The module of a path.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Module {
    /// Its name.
    pub module: ModuleName,
}

/// A resource of a path.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Resource {
    /// Its module.
    pub module: ModuleName,
    /// `class.id`.
    pub resource: String,
}

/// A script log of a path.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct UserLog {
    /// Its module.
    pub module: ModuleName,
    /// Its name.
    pub name: String,
}
