//! Wire types of deliveries.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    emails::dto::Decision,
    routes::dto::RouteKind,
    rules::dto::wire_enum,
    shared::{DeliveryId, EmailId, Problem, RouteId, TenantId},
};

wire_enum!(
    /// How far a delivery has come.
    DeliveryStatus {
        /// It is on its way, or waits for its next try.
        Pending = "pending",
        /// The other side took it.
        Delivered = "delivered",
        /// It was given up: a person may try it again.
        Failed = "failed",
        /// It was not sent, and will not be.
        Cancelled = "cancelled",
    }
);

/// One doing of a route for one outcome of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Delivery {
    pub delivery_id: DeliveryId,
    pub tenant_id: TenantId,
    pub email_id: EmailId,
    /// `None` once the route is deleted.
    pub route_id: Option<RouteId>,
    pub route_name: String,
    pub kind: RouteKind,
    /// A webhook's host, the addresses of a mail, or the label.
    pub destination: String,
    /// The outcome that it is for.
    pub decision: Decision,
    pub status: DeliveryStatus,
    pub attempts: i32,
    /// When it is tried next, while it is pending.
    pub next_attempt: Option<DateTime<Utc>>,
    /// What was said of it last: why it failed, or why it was not sent.
    pub note: Option<String>,
    /// The last HTTP status or SMTP reply code.
    pub last_status: Option<i32>,
    pub created_at: DateTime<Utc>,
    /// When the other side took it: of one that is sent a second time, before that.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether it is a label that was set, and that the message does not bear any more.
    pub label_is_off: bool,
}

/// The note of a delivery that a person sent again, until it is tried.
pub const SENT_AGAIN: &str = "Sent again by a person: it is tried at once";

impl Delivery {
    /// Whether a person may send it again: it was given up, or it was tried or left alone, and waits.
    pub fn can_be_sent_again(&self) -> bool {
        let waits = || self.note.as_deref().is_some_and(|note| note != SENT_AGAIN);
        let is_there = match self.status {
            DeliveryStatus::Failed => true,
            DeliveryStatus::Pending => waits(),
            DeliveryStatus::Delivered | DeliveryStatus::Cancelled => false,
        };
        is_there && self.route_id.is_some()
    }

    /// Whether a person may send it a second time: the other side took it. A label has nothing to send.
    pub fn can_be_repeated(&self) -> bool {
        self.status == DeliveryStatus::Delivered && self.kind != RouteKind::Label && self.route_id.is_some()
    }
}

/// A delivery with what it sends: the answer to `GET /api/deliveries/{delivery_id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: Delivery,
    pub payload: serde_json::Value,
}

/// The body of `POST /api/emails/retry-deliveries`: messages, of which what was given up is to be sent again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"]}))))]
pub struct RetryInput {
    #[cfg_attr(feature = "ssr", schema(min_items = 1, max_items = 200))]
    pub ids: Vec<EmailId>,
}

/// The answer to it (200): what is sent again, and what cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SentAgain {
    /// The messages of which something is sent, in the order in which they were named.
    pub done: Vec<EmailId>,
    /// Those that are gone, or of which nothing is sent: nothing of theirs was given up, or what was cannot be sent again.
    pub left: Vec<EmailId>,
    /// How many deliveries are sent.
    pub sent: usize,
    pub refused: Vec<NotSentAgain>,
    /// What broke it off, if something did: of the messages that are left, the last ones were not tried then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub problem: Option<Problem>,
}

/// A delivery that was given up, and cannot be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NotSentAgain {
    pub email_id: EmailId,
    pub delivery_id: DeliveryId,
    /// A sentence.
    pub reason: String,
}

/// What a list of deliveries is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    pub status: Option<DeliveryStatus>,
    pub email_id: Option<EmailId>,
    pub route_id: Option<RouteId>,
}
