//! Start, serve, stop.

use std::{env, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use leptos::config::LeptosOptions;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    AppState, Database,
    config::{self, Config, Environment},
    database,
    edge::{serve, site},
    embedded::EmbeddedDatabase,
    http,
    vault::{self, Fit, Vault},
};
use crate::{
    auth::server::service as auth,
    backtests::server::worker as backtesting,
    classifier::server::worker as training,
    deliveries::server::worker as sending,
    demo,
    emails::server::worker,
    mailboxes::server::{
        smtp::{self, Protocol},
        watch as watching,
    },
    retention::server::worker as retaining,
};

/// What ends a start: a sentence for whoever started it.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// How long requests and messages under way are waited for. With `CLOSE` and `telemetry::FLUSH`, a stop takes 10 seconds at
/// most.
const DRAIN: Duration = Duration::from_secs(8);

/// How long connections to the database are waited for: what holds one then is beyond waiting for.
const CLOSE: Duration = Duration::from_secs(1);

/// How long new connections are still taken in production, for a load balancer to see `/readyz` say that this
/// server stops.
const LINGER: Duration = Duration::from_secs(2);

/// The file of the data folder in which a server leaves where it is, for the links that the command line prints.
const ADDRESS: &str = "address";

/// A database that is migrated and ready, and the process that runs it, if it is the private one.
pub struct Opened {
    pub database: Database,
    /// Where it is, as the role that connects.
    pub url: SecretString,
    embedded: Option<EmbeddedDatabase>,
}

impl Opened {
    pub async fn close(self) {
        if timeout(CLOSE, self.database.close()).await.is_err() {
            tracing::warn!("connections to the database were still in use");
        }
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// Opens the configured database, or the private one.
///
/// # Errors
/// In words for an administrator.
pub async fn open_database(config: &Config) -> Result<Opened, Fatal> {
    let (url, embedded) = match &config.database_url {
        Some(url) => (url.clone(), None),
        None => {
            let embedded = EmbeddedDatabase::start(&config.data_dir).await?;
            (embedded.url.clone(), Some(embedded))
        }
    };
    let owner = config.database_owner_url.as_ref().unwrap_or(&url);
    database::migrate(owner, &url).await?;
    let database = Database::connect(&url, config).await?;
    Ok(Opened { database, url, embedded })
}

/// The vault, under `ENCRYPTION_KEY` or, outside production, a key that is generated into the data folder.
///
/// # Errors
/// Where the key cannot be read or written.
pub fn open_vault(config: &Config) -> Result<Vault, Fatal> {
    let text = match &config.encryption_key {
        Some(key) => key.clone(),
        None => generated_key(&config.data_dir)?,
    };
    let parsed = |text| vault::parse_key(text).ok_or("an encryption key must be 32 bytes in base64 or hex");
    let accepted = config.accepted_keys.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
    Ok(Vault::new(parsed(&text)?).accepting(accepted))
}

fn generated_key(data_dir: &Path) -> Result<SecretString, Fatal> {
    let path = data_dir.join("encryption.key");
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(data_dir).map_err(named)?;
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match created {
        Ok(mut file) => {
            let key = BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
            file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
            Ok(key.into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(fs::read_to_string(&path).map_err(named)?.into())
        }
        Err(error) => Err(named(error).into()),
    }
}

/// The server's own settings, from `Leptos.toml` where it is, overridden by `LEPTOS_*`.
///
/// # Errors
/// Where the file or a setting cannot be read.
pub fn leptos_options() -> Result<LeptosOptions, Fatal> {
    let file = match fs::read_to_string("Leptos.toml") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| format!("Leptos.toml: {error}"))?,
    };
    Ok(config::site_options(&file, |name| env::var(name).ok())?)
}

/// Where people reach the server of this data folder, for whoever is not that server: as is set, or as the last one left it. And
/// what is to be said of that where it is not set.
///
/// # Errors
/// As `leptos_options`.
pub fn base_url(config: &Config) -> Result<(String, Option<&'static str>), Fatal> {
    let assumed = config.base_url(leptos_options()?.site_addr);
    if config.public_url.is_some() {
        return Ok((assumed, None));
    }
    let left = fs::read_to_string(config.data_dir.join(ADDRESS)).unwrap_or_default();
    Ok(if left.is_empty() {
        (
            assumed,
            Some(
                "no server has served from this DATA_DIR yet, so the address is assumed: PUBLIC_URL sets it",
            ),
        )
    } else {
        (
            left,
            Some("the address is where the server of this DATA_DIR listened last: PUBLIC_URL sets another"),
        )
    })
}

/// `flowengine serve`: everything, until a signal.
///
/// # Errors
/// What keeps it from starting, in words for an administrator.
pub async fn serve(config: Config, with_demo: bool) -> Result<(), Fatal> {
    if with_demo && config.environment == Environment::Production {
        return Err("--demo is only for trying out: it must not be given in production".into());
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let leptos = leptos_options()?;
    site::check(&leptos, &config)?;
    let listener = TcpListener::bind(leptos.site_addr)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", leptos.site_addr))?;
    let addr = listener.local_addr()?;
    let vault = open_vault(&config)?;
    let opened = open_database(&config).await?;
    let result = async {
        check_keys(&opened.database, &vault).await?;
        let app = AppState::new(config, opened.database.clone(), vault, leptos, addr);
        serve_until(&app, listener, with_demo, shutdown_signal()).await
    }
    .await;
    opened.close().await;
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

/// Looks whether the encryption key is the one of this database: another one would be noticed only where a secret is
/// needed.
///
/// # Errors
/// In words for an administrator, where it opens nothing of what there is.
pub async fn check_keys(database: &Database, vault: &Vault) -> Result<(), Fatal> {
    let Fit { opened, unopened } = vault.fit(database).await?;
    if unopened > 0 && opened == 0 {
        let sentence = "neither ENCRYPTION_KEY nor any of ENCRYPTION_KEYS_ACCEPTED opens what is encrypted in this \
                        database: give the key that it was encrypted with";
        return Err(sentence.into());
    }
    if unopened > 0 {
        tracing::error!(
            tenants = unopened,
            "neither ENCRYPTION_KEY nor any of ENCRYPTION_KEYS_ACCEPTED opens all that is encrypted for some tenants"
        );
    }
    Ok(())
}

/// Serves and works until `signal`. Then no more work is taken up, `/readyz` says so, and what is under way is
/// finished, within 10 seconds.
///
/// # Errors
/// What keeps it from starting, in words for an administrator.
pub async fn serve_until(
    app: &AppState,
    listener: TcpListener,
    with_demo: bool,
    signal: impl Future<Output = ()>,
) -> Result<(), Fatal> {
    let stop = app.stop.clone();
    let mail = MailListeners::bind(app).await?;
    let workers = tokio::spawn(worker::work(app.clone(), stop.clone()));
    let sending = tokio::spawn(sending::work(app.clone(), stop.clone()));
    let backtesting = tokio::spawn(backtesting::work(app.clone(), stop.clone()));
    let training = tokio::spawn(database::at_leisure(training::work(app.clone(), stop.clone())));
    let retaining = tokio::spawn(database::at_leisure(retaining::work(app.clone(), stop.clone())));
    let watching = tokio::spawn(watching::work(app.clone(), stop.clone()));
    let mail = tokio::spawn(mail.serve(app.clone(), stop.clone()));
    // The demo's messages ask the demo's API, which this server offers: it must listen before they are loaded.
    let close = CancellationToken::new();
    let router = http::router(app.clone());
    let server = tokio::spawn(serve::serve(
        listener,
        router,
        serve::Bounds::new(&app.config.edge, &app.config.trusted_proxies),
        close.clone(),
    ));
    if with_demo {
        demo::load(app).await?;
    }
    announce(app).await?;
    signal.await;
    tracing::info!("stopping");
    let deadline = Instant::now() + DRAIN;
    stop.cancel();
    if app.config.environment == Environment::Production {
        sleep(LINGER).await;
    }
    close.cancel();
    let ended =
        async { tokio::join!(server, workers, sending, backtesting, training, retaining, watching, mail) };
    let drained = timeout_at(deadline, ended).await;
    match drained {
        Ok((server, workers, sending, backtesting, training, retaining, watching, mail)) => {
            server?;
            workers?;
            sending?;
            backtesting?;
            training?;
            retaining?;
            watching?;
            mail?;
        }
        Err(_) => tracing::warn!("not all was finished in time; messages under way are taken up again"),
    }
    Ok(())
}

/// The listeners for other mail servers, as far as they are set.
struct MailListeners {
    open: Vec<(TcpListener, Protocol, Arc<smtp::Bounds>)>,
}

impl MailListeners {
    async fn bind(app: &AppState) -> Result<Self, Fatal> {
        let config = &app.config.mail;
        let mut open = Vec::new();
        for (address, protocol) in [(config.smtp, Protocol::Smtp), (config.lmtp, Protocol::Lmtp)] {
            let Some(address) = address else { continue };
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| format!("cannot listen for mail on {address}: {error}"))?;
            tracing::info!(address = %listener.local_addr()?, ?protocol, "takes mail");
            // Each its own: strangers at one keep nobody from the other.
            open.push((listener, protocol, Arc::new(smtp::Bounds::new(config)?)));
        }
        Ok(Self { open })
    }

    async fn serve(self, app: AppState, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        for (listener, protocol, bounds) in self.open {
            tracker.spawn(smtp::serve(app.clone(), listener, protocol, bounds, stop.clone()));
        }
        tracker.close();
        tracker.wait().await;
    }
}

/// Two lines for whoever started the server: where it is, and how to get in while nobody has a password. The log has the
/// first alone, and so has the command line.
async fn announce(app: &AppState) -> Result<(), Fatal> {
    let base = app.config.base_url(app.addr);
    let folder = &app.config.data_dir;
    if let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(ADDRESS), &base)) {
        tracing::warn!(%error, "where it is could not be left in the data folder for the command line");
    }
    let (name, version) = (&app.config.app_name, &app.config.app_version);
    tracing::info!(version, address = %app.addr, "started");
    let mut lines = format!("{name} {version} is at {base}/\n");
    if let Some(link) = auth::first_link(app).await? {
        lines += &format!("Sign in once at {base}/sign-in/{}\n", link.expose_secret());
    }
    let mut out = std::io::stdout().lock();
    // It serves all the same: `flowengine admin sign-in-link` prints another.
    if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        tracing::warn!(%error, "where it is could not be printed");
    }
    Ok(())
}

/// SIGTERM or SIGINT.
pub async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
