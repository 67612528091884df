//! Wire types of routes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::{
    emails::dto::Decision,
    rules::dto::wire_enum,
    shared::{
        IntentId, Problem, RouteId, TenantId,
        validate::{Checks, yes},
    },
};

wire_enum!(
    /// How a route does its work.
    RouteKind { Webhook = "webhook", Forward = "forward", Reply = "reply", Label = "label" }
);

/// What is done when a message is decided.
///
/// `settings` by kind: webhook `{"url", "headers"}` · forward `{"to": [address], "subject", "note"}` · reply
/// `{"subject", "body", "from_name", "reply_to"}` · label `{"label"}`. Subjects, notes, bodies and labels are templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Route {
    pub route_id: RouteId,
    pub tenant_id: TenantId,
    pub name: String,
    /// `None`: for every intent, and for messages that have none.
    pub intent_id: Option<IntentId>,
    pub kind: RouteKind,
    /// The decisions on which it is done.
    pub decisions: Vec<Decision>,
    /// The values of a webhook's headers are masked, and empty where they are still to be set, since they did not come with an
    /// import: until they are, what is to be sent waits, for 72 hours (`DELIVERY_PATIENCE_HOURS`); then it is given up, and a
    /// person may send it again. The path of its `url` is masked too, for who may not change the route.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub settings: Map<String, Value>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A route as its editor begins with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteView {
    pub route: Route,
    /// For the change that is made to it.
    pub etag: String,
}

/// The answer to `POST /api/routes` and to `…/rotate-secret`: the only time that the signing secret is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RouteWithSecret {
    #[serde(flatten)]
    pub route: Route,
    /// `whsec_` and base64 (Standard Webhooks); for a webhook alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub secret: Option<String>,
    /// Until when the secret before it signs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub old_secret_ends: Option<DateTime<Utc>>,
}

/// What came of a new secret, for the editor that is open on the route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotatedSecret {
    pub made: RouteWithSecret,
    /// Of the route as it is now.
    pub etag: String,
}

/// The body of `POST` and `PUT` for routes. What is only read may stand in it, and is ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "Mark as late", "kind": "label", "decisions": ["review"], "settings": {"label": "late"}}))))]
pub struct RouteInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    #[serde(default)]
    pub intent_id: Option<IntentId>,
    pub kind: RouteKind,
    #[cfg_attr(feature = "ssr", schema(min_items = 1))]
    pub decisions: Vec<Decision>,
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub settings: Map<String, Value>,
    #[serde(default = "yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing)]
    pub route_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
}

impl RouteInput {
    /// The checks that need neither settings nor intent; a repeated decision counts once.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(mut self, tenant: &TenantId) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        checks.same_tenant(self.tenant_id.as_deref(), tenant);
        self.name = checks.name("name", &self.name);
        if self.decisions.is_empty() {
            checks.fault("decisions", "must name at least one decision");
        }
        self.decisions = Decision::ALL.iter().copied().filter(|d| self.decisions.contains(d)).collect();
        checks.finish()?;
        Ok(self)
    }
}

/// What a route would do, or does, for one outcome of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Planned {
    pub route_id: RouteId,
    pub route_name: String,
    pub kind: RouteKind,
    /// A webhook's host, the addresses of a mail, or the label.
    pub destination: String,
    /// Why it is not sent, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub withheld: Option<String>,
    /// What is sent: a webhook's body, or a mail's parts.
    pub payload: Value,
}
