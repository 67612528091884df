//! Where the server meets strangers: what lies around every request, whatever it asks for. `server::http` stacks it.

pub mod compress;
pub mod cors;
pub mod headers;
pub mod limits;
pub mod load;
pub mod metrics;
pub mod observe;
pub mod ready;
pub mod referer;
pub mod serve;
pub mod site;
mod stall;
pub mod unread;

/// Whether the answer to this path is data for programs.
fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// What tells whether the server lives. It must answer when nothing else does.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}
