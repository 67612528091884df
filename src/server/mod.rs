//! What every feature's server side stands on. Compiled for the server only.

pub mod aside;
pub mod bounded_http;
pub mod breaker;
pub mod changes;
pub mod cli;
pub mod config;
pub mod context;
pub mod database;
pub mod edge;
pub mod embedded;
pub mod error;
pub mod etag;
pub mod extract;
pub mod http;
pub mod idempotency;
pub mod kept;
pub mod oauth;
pub mod openapi;
pub mod origin;
pub mod outbound;
pub mod paging;
pub mod places;
pub mod queue;
pub mod rounds;
pub mod run;
pub mod state;
pub mod telemetry;
pub mod text;
pub mod token;
pub mod vault;
pub mod work;

pub use context::{Actor, CallerContext, TenantContext};
pub use database::{Database, TenantRead, TenantRows, TenantTx};
pub use error::{Error, Result};
pub use state::AppState;
