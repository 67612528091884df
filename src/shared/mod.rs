//! What both targets agree on: ids, the wire error, checks of input.

pub mod exact;
pub mod ids;
pub mod live;
pub mod problem;
pub mod template;
pub mod validate;
pub mod wire;

pub use ids::{
    AuditId, BacktestId, ConfigId, DatasourceId, DeliveryId, EmailId, ExampleId, FilterId, IntentId,
    InvitationId, KeyId, MailboxId, RouteId, RuleId, TenantId, UserId, WordId,
};
pub use problem::{FieldError, Problem};

/// A list gives so many items at once, at most.
pub const MAX_LIMIT: i64 = 1_000;

/// For so long a page offers to take back what somebody said there.
pub const OFFERS_UNDO: std::time::Duration = std::time::Duration::from_secs(30);
