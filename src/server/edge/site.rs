//! The files of the browser's side: the code, the style sheet.
//!
//! They keep their names from build to build, and a browser keeps what it fetched: the code of yesterday would be run on the
//! page of today, and find other elements than it knows. So pages name them below what this build is told by, where they
//! never change, and a browser asks for them once. What an older page still asks for is not there: better than a part that
//! does not fit the others.

use std::{
    env, fs,
    path::{self, Path, PathBuf},
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

use crate::server::{
    AppState,
    config::{Config, Environment},
    token,
};

/// A year, in seconds, as long as caches keep anything.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept, but asked about each time.
const ASKED_ABOUT: HeaderValue = HeaderValue::from_static("no-cache");
/// The letters of a build's name.
const LENGTH: usize = 16;

/// What lies at the site's root for everybody, as `public` has it. Nothing else there is served.
pub const PUBLIC: [&str; 3] = ["/favicon.ico", "/favicon.svg", "/robots.txt"];

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

/// Looks whether the site is there, and holds nothing that is nobody's to see.
///
/// # Errors
/// In words for an administrator. That the site is not there is one in production; elsewhere it is logged.
pub fn check(options: &LeptosOptions, config: &Config) -> Result<(), String> {
    let root = Path::new(&*options.site_root);
    let working = env::current_dir().unwrap_or_default();
    if let Some(private) = private_within(root, &config.data_dir, &working) {
        let private = private.display();
        return Err(format!(
            "LEPTOS_SITE_ROOT must be a folder of its own, and not one that holds {private}"
        ));
    }
    let Err(missing) = readable(options) else { return Ok(()) };
    let sentence = format!("LEPTOS_SITE_ROOT: the browser's side cannot be served: {missing}");
    if config.environment == Environment::Production {
        return Err(sentence);
    }
    tracing::warn!("{sentence}");
    Ok(())
}

/// The data folder, or the `.env` that is read, where the root holds it.
fn private_within(root: &Path, data: &Path, working: &Path) -> Option<PathBuf> {
    let root = resolved(root);
    let settings = working.ancestors().map(|folder| folder.join(".env")).find(|file| file.exists());
    let mut private = std::iter::once(data.to_owned()).chain(settings);
    // A link may lead to either, from where it is served as well.
    private.find(|path| resolved(path).starts_with(&root) || absolute(path).starts_with(&root))
}

fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Where a path leads, links followed as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = absolute(path);
    let real = path
        .ancestors()
        .find_map(|above| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?)));
    real.unwrap_or(path)
}

/// Whether the main files can be read, of which one is named otherwise where cargo-leptos did not name it.
fn readable(options: &LeptosOptions) -> Result<(), String> {
    let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
    let open = |ending: &str| {
        let file = folder.join(format!("{}{ending}", options.output_name));
        fs::File::open(&file).map(drop).map_err(|error| format!("{}: {error}", file.display()))
    };
    open(".js")?;
    open(".css")?;
    open(".wasm").or_else(|why| open("_bg.wasm").map_err(|_| why))
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
    if !is_open(file) {
        return not_there();
    }
    let Ok(uri) = format!("{folder}{file}").parse() else { return not_there() };
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

/// One of `PUBLIC`.
pub async fn show_public(State(app): State<AppState>, request: Request) -> Response {
    site_pkg_dir_service(&app.leptos).oneshot(request).await.into_response()
}

/// Whether it may be one of the browser's files: a name that begins with a dot is none, however it is spelled, and none of
/// theirs needs to be spelled otherwise.
fn is_open(file: &str) -> bool {
    !file.contains('%') && file.split('/').all(|part| !part.starts_with('.'))
}

/// The next server, or this one after its upgrade, may have it: nobody keeps that.
fn not_there() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

fn is_name(part: &str) -> bool {
    part.len() == LENGTH && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public_is_what_lies_in_public() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
        let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").file_name());
        let mut files: Vec<String> = entries.map(|name| format!("/{}", name.display())).collect();
        files.sort();
        assert_eq!(files, PUBLIC);
    }

    #[test]
    fn a_root_that_holds_what_is_private_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("a path");
        let (working, site, elsewhere) = (top.join("app"), top.join("app/site"), top.join("elsewhere"));
        for made in [&site, &elsewhere] {
            fs::create_dir_all(made).expect("made");
        }
        let within = |root: &Path, data: &Path| private_within(root, data, &working).is_some();
        // The data folder need not be there yet.
        let data = working.join("data");
        for (root, is_told) in
            [(&site, false), (&data, true), (&working, true), (&top, true), (&elsewhere, false)]
        {
            assert_eq!(within(root, &data), is_told, "{}", root.display());
        }
        assert!(within(Path::new("/"), &data) && !within(&working, &elsewhere));
        fs::write(working.join(".env"), "A=b").expect("written");
        assert!(
            within(&working, &elsewhere) && within(&top, Path::new("/none")) && !within(&site, &elsewhere)
        );
        std::os::unix::fs::symlink(&working, elsewhere.join("link")).expect("linked");
        assert!(within(&elsewhere.join("link"), &elsewhere), "by another name");
    }

    #[test]
    fn production_starts_with_its_site_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("site");
        let options = LeptosOptions::builder()
            .output_name("flowengine")
            .site_root(root.to_string_lossy().into_owned())
            .build();
        let check = |environment: Environment| {
            let mut config = Config::read(|_| None).expect("defaults hold");
            config.environment = environment;
            check(&options, &config)
        };
        let refused = check(Environment::Production).expect_err("no site");
        assert!(refused.contains("LEPTOS_SITE_ROOT") && refused.contains("flowengine.js"), "{refused}");
        assert_eq!(check(Environment::Development), Ok(()));
        fs::create_dir_all(root.join("pkg")).expect("made");
        for ending in ["js", "css", "wasm"] {
            assert!(check(Environment::Production).is_err(), "without {ending}");
            fs::write(root.join(format!("pkg/flowengine.{ending}")), "x").expect("written");
        }
        assert_eq!(check(Environment::Production), Ok(()));
    }
}
