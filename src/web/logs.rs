//! What the service writes about itself and its requests: SAFEVAR/httpd.log and access.log (WEB-40).

use super::Web;
use super::principal::Principal;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use nix::unistd::User;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A log is cut to its newer half when it is longer, bytes.
const LONGEST: u64 = 16 << 20;

/// A log file of bounded length. It is cut in place: its directory belongs to root.
#[derive(Clone, Debug)]
pub struct LogFile(Arc<Mutex<(File, u64)>>);

impl LogFile {
    /// Opens it for whom it is to belong to.
    pub fn open(path: &Path, owner: Option<&User>) -> io::Result<LogFile> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
        if let Some(user) = owner {
            std::os::unix::fs::fchown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let length = file.metadata()?.len();
        Ok(LogFile(Arc::new(Mutex::new((file, length)))))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, length) = &mut *locked;
        if *length > LONGEST {
            *length = halve(file)?;
        }
        file.write_all(bytes)?;
        *length += bytes.len() as u64;
        Ok(())
    }
}

/// Keeps the newer half, from the begin of a line.
fn halve(file: &mut File) -> io::Result<u64> {
    let mut rest = Vec::new();
    file.seek(SeekFrom::End(-((LONGEST / 2) as i64)))?;
    file.read_to_end(&mut rest)?;
    let begin = rest.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(0)?;
    file.write_all(&rest[begin..])?;
    Ok((rest.len() - begin) as u64)
}

/// For `tracing`: a line that cannot be written is lost, as there is no other place for it.
impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line for each request, in the form that log analysers know: address, user, date, request,
/// status, bytes.
pub(super) async fn access(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let log = request.app_data::<web::Data<LogFile>>().cloned();
    let figures = request.app_data::<web::Data<Web>>().map(|web| web.figures.clone());
    let line = Line::of(&request);
    let answered = next.call(request).await;
    let (status, user, bytes) = match &answered {
        Ok(response) => {
            let user = response.request().extensions().get::<Principal>().map(|p| p.user.clone());
            (response.status(), user, response.response().body().size())
        }
        Err(error) => (error.as_response_error().status_code(), None, actix_web::body::BodySize::None),
    };
    if let Some(figures) = figures {
        figures.answered(status.as_u16());
    }
    let Some(log) = log else { return answered };
    let bytes = match bytes {
        actix_web::body::BodySize::Sized(bytes) => bytes.to_string(),
        _ => "-".to_owned(),
    };
    let date = jiff::Zoned::now().strftime("%d/%b/%Y:%H:%M:%S %z");
    let Line { address, request } = line;
    let user = user.as_deref().unwrap_or("-");
    let text = format!("{address} - {user} [{date}] \"{request}\" {} {bytes}\n", status.as_u16());
    if let Err(error) = log.append(text.as_bytes()) {
        tracing::warn!(%error, "access.log cannot be written");
    }
    answered
}

/// What is known of a request before it is answered.
struct Line {
    address: String,
    request: String,
}

impl Line {
    /// Without the query: it may hold what is nobody's business.
    fn of(request: &ServiceRequest) -> Line {
        let address = request.peer_addr().map_or("-".to_owned(), |peer| peer.ip().to_canonical().to_string());
        let path: String =
            request.path().chars().take(256).filter(|c| !c.is_control() && *c != '"').collect();
        Line { address, request: format!("{} {path} {:?}", request.method(), request.version()) }
    }
}

/// Marks the server's data; the log itself is shared by all workers.
pub(super) fn shared(web: &Web, log: Option<LogFile>) -> Option<web::Data<LogFile>> {
    log.filter(|_| web.settings.access_log).map(web::Data::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_newer_half() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = LogFile::open(&path, None).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        let mut wrote = 0;
        while wrote <= LONGEST {
            log.append(line.as_bytes()).unwrap();
            wrote += line.len() as u64;
        }
        log.append(b"last\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= LONGEST / 2 + 1024 && text.ends_with("last\n"));
        assert!(text.lines().all(|l| l.len() == 1023 || l == "last"));
    }
}
