//! The demo's HTTP API: a small warehouse and ticket service, behind a key of its own.

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value};

use super::data::DEMOS;
use crate::{
    server::{AppState, Result, context::bearer, error::problem_response, extract::Query},
    shared::Problem,
};

pub fn routes() -> Router<AppState> {
    Router::new().route("/demo-api/{tenant}/{*path}", get(find))
}

/// Where this server can reach itself.
pub fn base_url(app: &AppState) -> String {
    let mut addr = app.addr;
    if addr.ip().is_unspecified() {
        addr.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{addr}/demo-api")
}

/// The key to it, of this installation alone.
pub fn token(app: &AppState) -> String {
    app.vault.derive("demo-api")
}

/// An object as it is; of an array those items whose members equal the query's parameters.
async fn find(
    State(app): State<AppState>,
    Path((tenant, path)): Path<(String, String)>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let token = token(&app);
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    if bearer(&headers) != Some(&token) && key != Some(&token) {
        return Ok(problem_response(Problem::unauthorized()));
    }
    let data: Map<String, Value> = match DEMOS.iter().find(|demo| demo.tenant == tenant) {
        Some(demo) => serde_json::from_str(demo.api).map_err(crate::server::Error::internal)?,
        None => Map::new(),
    };
    let value = data.get(&format!("/{path}")).ok_or_else(|| Problem::not_found("Resource", &path))?;
    let found = match value {
        Value::Array(items) => {
            let matches = |item: &&Value| {
                query.pairs().all(|(name, value)| item.get(name).and_then(Value::as_str) == Some(value))
            };
            Value::Array(items.iter().filter(matches).cloned().collect())
        }
        other => other.clone(),
    };
    Ok(axum::Json(found).into_response())
}
