//! The editable files of a module (ADM-06). They are read and written as one archive, so that a module is
//! never half saved, and only over what the editor has seen.

use super::Asking;
use super::observe::Module;
use super::types::{File, Files};
use crate::control::{InstallSource, Reply, Request};
use crate::ids::ModuleName;
use crate::told::{Told, told};
use crate::web::pace::{self, Early};
use crate::web::problem::Problem;
use crate::web::remote::deploy::{restless, steady};
use actix_web::http::StatusCode;
use actix_web::web::{Json, Path};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// All files of a module together, bytes unpacked.
const LARGEST: u64 = 64 << 20;
/// Most files of a module.
const MOST: usize = 10_000;

/// All files of the module but its keys.
#[utoipa::path(get, path = "/modules/{module}/files", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = Files)))]
pub async fn show(asking: Asking, _place: Early, path: Path<Module>) -> Result<Json<Files>, Problem> {
    Ok(Json(read(&asking, path.into_inner().module).await?))
}

/// The files with the signature that they had before and after they were read.
async fn read(asking: &Asking, module: ModuleName) -> Result<Files, Problem> {
    let files = async || {
        let request = Request::ModulePackage { module: module.clone(), keys: false };
        let archive = asking.attachment(request).await?;
        off(move || unpack(&archive)).await
    };
    match steady(async || signature(asking, &module).await, files).await? {
        Some((signature, files)) => Ok(Files { signature: Some(signature), files }),
        None => Err(Problem::unavailable(restless(&module))),
    }
}

async fn signature(asking: &Asking, module: &ModuleName) -> Result<String, Problem> {
    let info = super::module::confinfo_of(asking, module.clone()).await?;
    Ok(info.current.signature)
}

/// What a node says that it has saved.
fn saved(replies: Vec<Reply>) -> Result<String, Problem> {
    let found = replies.into_iter().find_map(|reply| match reply {
        Reply::Saved { signature } => Some(signature),
        _ => None,
    });
    found.ok_or_else(|| {
        Problem::internal(told!(
            "the node has not said what it has saved",
            "le nœud n'a pas dit ce qu'il a enregistré"
        ))
    })
}

/// Replaces the files of the module; its keys stay as they are. What somebody else saved in between is a conflict that
/// shows it.
#[utoipa::path(put, path = "/modules/{module}/files", tag = "module", params(("module" = String, Path)),
    request_body = Files, responses((status = 200, body = Files)))]
pub async fn save(asking: Asking, path: Path<Module>, body: Json<Files>) -> Result<Json<Files>, Problem> {
    let module = path.into_inner().module;
    let Files { signature: expected, files } = body.into_inner();
    let archive = off(move || pack(&files)).await?;
    let expected = match expected {
        Some(signature) => signature,
        None => signature(&asking, &module).await?,
    };
    let request = Request::ModuleInstall {
        module: module.clone(),
        id: None,
        reinstall: true,
        source: InstallSource::Attachment,
        if_signature: Some(vec![expected]),
        keep_key: true,
    };
    match asking.done(request, archive).await {
        // Of what was saved here, not of what somebody has put in its place since.
        Ok(finished) => Ok(Json(Files { signature: Some(saved(finished.replies)?), files: Vec::new() })),
        Err(problem) => Err(with_theirs(&asking, module, problem).await),
    }
}

/// A conflict with the files that are there, and their signature; any other problem as it is.
pub(super) async fn with_theirs(asking: &Asking, module: ModuleName, problem: Problem) -> Problem {
    if problem.status() != StatusCode::CONFLICT {
        return problem;
    }
    let _place = match pace::place().await {
        Ok(place) => place,
        Err(busy) => return busy,
    };
    match read(asking, module).await {
        Ok(Files { signature: Some(signature), files }) => {
            problem.into_conflict(signature).with_member("files", files)
        }
        Ok(_) => problem,
        Err(unread) => unread,
    }
}

/// The files of one of the last successful configurations but its keys, to look at or to save again.
#[utoipa::path(get, path = "/modules/{module}/configurations/{name}", tag = "module",
    params(("module" = String, Path), ("name" = String, Path)), responses((status = 200, body = Files)))]
pub async fn kept(asking: Asking, _place: Early, path: Path<Kept>) -> Result<Json<Files>, Problem> {
    let Kept { module, name } = path.into_inner();
    let archive = asking.attachment(Request::ConfigurationGet { module, name }).await?;
    Ok(Json(Files { signature: None, files: off(move || unpack(&archive)).await? }))
}

/// A configuration of a path.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Kept {
    /// Its module.
    pub module: ModuleName,
    /// Its name.
    pub name: String,
}

/// Packing is work for the processor, so not for the thread that serves.
async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Problem::internal(told!("an archive could not be made", "une archive n'a pas pu être faite"))
    })?
}

fn unpack(archive: &[u8]) -> Result<Vec<File>, Problem> {
    let broken = |e: &dyn std::fmt::Display| {
        Problem::internal(told!("the archive of the node: {e}", "l'archive du nœud : {e}"))
    };
    let mut zip = ZipArchive::new(Cursor::new(archive)).map_err(|e| broken(&e))?;
    let (mut files, mut total) = (Vec::new(), 0);
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|e| broken(&e))?;
        if entry.is_dir() {
            continue;
        }
        let path = entry.name().map_err(|e| broken(&e))?.into_owned();
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let mut bytes = Vec::new();
        let room = LARGEST - total;
        entry.by_ref().take(room + 1).read_to_end(&mut bytes).map_err(|e| broken(&e))?;
        total += bytes.len() as u64;
        if total > LARGEST {
            return Err(Problem::refused(told!(
                "the module is too large to be edited here: download it instead",
                "le module est trop grand pour être modifié ici : téléchargez-le plutôt"
            )));
        }
        let (text, base64) = match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => (Some(text), None),
            Ok(text) => (None, Some(BASE64_STANDARD.encode(text))),
            Err(e) => (None, Some(BASE64_STANDARD.encode(e.as_bytes()))),
        };
        files.push(File { path, text, base64, executable });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn pack(files: &[File]) -> Result<Vec<u8>, Problem> {
    if files.len() > MOST {
        return Err(Problem::bad_request(told!("more than {MOST} files", "plus de {MOST} fichiers")));
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let bytes = content(file)?;
        let path = &file.path;
        let named = |e: &dyn std::fmt::Display| Problem::bad_request(told!("{path}: {e}", "{path} : {e}"));
        // The names are judged by the node, which unpacks the archive, and lets be run what is below bin.
        let begun = zip.start_file(file.path.as_str(), SimpleFileOptions::default().unix_permissions(0o644));
        begun.map_err(|e| named(&e))?;
        zip.write_all(&bytes).map_err(|e| Problem::internal(Told::same(e.to_string())))?;
    }
    Ok(zip.finish().map_err(|e| Problem::internal(Told::same(e.to_string())))?.into_inner())
}

fn content(file: &File) -> Result<Vec<u8>, Problem> {
    let path = &file.path;
    match (&file.text, &file.base64) {
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(coded)) => BASE64_STANDARD
            .decode(coded)
            .map_err(|e| Problem::bad_request(told!("{path}: base64: {e}", "{path} : base64 : {e}"))),
        _ => Err(Problem::bad_request(told!(
            "{path}: a file has either text or base64",
            "{path} : un fichier a soit text, soit base64"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::archive;

    fn text(path: &str, text: &str, executable: bool) -> File {
        File { path: path.to_owned(), text: Some(text.to_owned()), base64: None, executable }
    }

    /// What a node has of files that are saved on it, and shows of them.
    fn saved(files: &[File]) -> Vec<File> {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("am");
        archive::unpack(&pack(files).unwrap(), &tree, &archive::Limits::default()).unwrap();
        unpack(&archive::bytes(&tree).unwrap()).unwrap()
    }

    #[test]
    fn what_is_below_bin_can_be_run_and_nothing_else() {
        let files = [text("bin/start_prim", "a", false), text("conf/userconfig.xml", "b", true)];
        let runs: Vec<bool> = saved(&files).into_iter().map(|file| file.executable).collect();
        assert_eq!(runs, [true, false]);
    }

    #[test]
    fn files_come_back_as_they_went() {
        let binary = File {
            path: "web/logo".to_owned(),
            text: None,
            base64: Some(BASE64_STANDARD.encode([0, 255, 1])),
            executable: false,
        };
        let files = vec![
            text("bin/start_prim", "#!/bin/sh\n", true),
            text("conf/userconfig.xml", "é", false),
            binary,
        ];
        assert_eq!(saved(&files), files);
    }

    #[test]
    fn a_file_is_text_or_base64() {
        let mut both = text("a", "b", false);
        both.base64 = Some("AA==".to_owned());
        assert!(pack(&[both]).is_err());
        let neither = File { path: "a".to_owned(), text: None, base64: None, executable: false };
        assert!(pack(&[neither]).is_err());
        let bad = File { path: "a".to_owned(), text: None, base64: Some("*".to_owned()), executable: false };
        assert!(pack(&[bad]).is_err());
    }

    #[test]
    fn what_is_no_archive_is_told() {
        assert!(unpack(b"no zip").is_err());
    }
}
