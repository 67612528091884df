//! The files of the browser's side: the code, the style sheet.
//!
//! They keep their names from build to build, and a browser keeps what it fetched: the code of yesterday would be run on the
//! page of today, and find other elements than it knows. So pages name them below what this build is told by, where they
//! never change, and a browser asks for them once. What an older page still asks for is not there: better than a part that
//! does not fit the others.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use leptos_axum::site_pkg_dir_service;
use tower::ServiceExt;

use crate::server::{AppState, token};

/// A year, in seconds, as long as caches keep anything.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept, but asked about each time.
const ASKED_ABOUT: HeaderValue = HeaderValue::from_static("no-cache");
/// The letters of a build's name.
const LENGTH: usize = 16;

/// What tells a changed file from the same: its length and time.
type Stamp = Option<(u64, SystemTime)>;

/// A build whose name is known, by its main files. A server may outlive several, while somebody works on it.
struct Known {
    folder: PathBuf,
    stamps: Vec<Stamp>,
    name: String,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// The name of the build that is served now: of what is in its files.
pub fn build(options: &LeptosOptions) -> String {
    let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
    let stamps: Vec<Stamp> = ["js", "wasm", "css"]
        .iter()
        .map(|kind| {
            let metadata = fs::metadata(folder.join(format!("{}.{kind}", options.output_name))).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        })
        .collect();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.as_ref().filter(|known| known.folder == folder && known.stamps == stamps) {
        return known.name.clone();
    }
    let name = name_of(&folder);
    *known = Some(Known { folder, stamps, name: name.clone() });
    name
}

fn name_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // Compressed, they say nothing new.
    files.retain(|file| !file.extension().is_some_and(|kind| kind == "br" || kind == "gz"));
    files.sort();
    let digests: String = files
        .iter()
        .map(|file| {
            format!(
                "{} {}\n",
                file.file_name().unwrap_or_default().display(),
                token::hex(&token::hash_bytes(&fs::read(file).unwrap_or_default()))
            )
        })
        .collect();
    token::hex(&token::hash(&digests))[..LENGTH].to_owned()
}

/// `/pkg/<build>/<file>`, and `/pkg/<file>`, whichever build it is of.
pub async fn show(State(app): State<AppState>, request: Request) -> Response {
    let folder = format!("/{}/", app.leptos.site_pkg_dir);
    let path = request.uri().path().strip_prefix(&folder).unwrap_or_default();
    let build = build(&app.leptos);
    let (file, is_for_good) = match path.split_once('/') {
        Some((of, file)) if of == build => (file, true),
        Some((of, _)) if is_name(of) => return not_there(),
        _ => (path, request.uri().query() == Some(&format!("v={build}"))),
    };
    let Ok(uri) = format!("{folder}{file}").parse() else { return StatusCode::NOT_FOUND.into_response() };
    let (mut parts, _) = request.into_parts();
    parts.uri = uri;
    let served = site_pkg_dir_service(&app.leptos).oneshot(Request::from_parts(parts, Body::empty())).await;
    let mut response = served.into_response();
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        let kept = if is_for_good { FOR_GOOD } else { ASKED_ABOUT };
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
    }
    response
}

/// The next server, or this one after its upgrade, may have it.
fn not_there() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

fn is_name(part: &str) -> bool {
    part.len() == LENGTH && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}
