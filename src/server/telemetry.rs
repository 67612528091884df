//! Logs by `tracing`: lines for people in development, JSON in production. No message content, no secret.

use tracing_subscriber::EnvFilter;

use super::config::{Config, Environment};

/// Starts logging to standard error. `RUST_LOG` overrides what `DEBUG` sets.
pub fn start(config: &Config) {
    let default = if config.debug { "info,flowengine=debug" } else { "warn,flowengine=info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (several servers in one test process) keeps the first.
    let _ = match config.environment {
        Environment::Production => builder.json().try_init(),
        Environment::Development => builder.with_target(false).try_init(),
    };
}
