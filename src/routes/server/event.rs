//! What a webhook tells: written by the plan, and described by the API's document, so that neither says otherwise.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    emails::dto::{Classification, Decision, Email, EmailDetail, EmailIntent, Envelope, VerdictEntry},
    shared::{EmailId, TenantId},
};

/// What happened.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum EventType {
    #[serde(rename = "email.decided")]
    Decided,
}

/// The body of a webhook: how a message is decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedEvent {
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it was written down to be sent. Of several on one message the latest holds: a decision that stands again,
    /// since another one was taken back, is told with its old `decided_at`.
    pub timestamp: DateTime<Utc>,
    pub data: DecidedEmail,
}

/// A message as `GET /api/emails/{email_id}` gives it, without its preview, since its fields hold its text, and without what
/// comes of the decision: its labels and deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedEmail {
    pub email_id: EmailId,
    pub tenant_id: TenantId,
    pub message_id: String,
    pub sender_email: String,
    pub sender_name: String,
    pub recipient_email: String,
    pub subject: String,
    pub received_at: DateTime<Utc>,
    pub intent: Option<EmailIntent>,
    pub decision: Decision,
    /// One or two sentences: why it was decided so.
    pub explanation: String,
    /// Why it could not be read as a message, if so.
    pub parse_error: Option<String>,
    /// Every field that a rule or template can name, with its value; `body` is cut for show at 64 KiB.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// Why this intent: the condition, and what else was considered.
    pub classification: Option<Classification>,
    pub decided_by: Option<String>,
    pub decided_at: DateTime<Utc>,
    /// How it came, where that was by a mailbox.
    pub envelope: Option<Envelope>,
    /// How often it was decided. Verdicts are those of the last run.
    pub run: i32,
    /// The version of the intent that decided it.
    pub intent_version: Option<i32>,
    /// The state of all intents that it was held against.
    pub configuration_revision: Option<i64>,
    pub verdicts: Vec<VerdictEntry>,
}

impl DecidedEvent {
    /// `None` for a message that is not decided.
    pub fn of(message: &EmailDetail, now: DateTime<Utc>) -> Option<Self> {
        Some(Self { kind: EventType::Decided, timestamp: now, data: DecidedEmail::of(message.clone())? })
    }
}

impl DecidedEmail {
    fn of(message: EmailDetail) -> Option<Self> {
        // Each by its name, so that a new member is not left out unseen.
        let EmailDetail {
            email,
            fields,
            classification,
            decided_by,
            envelope,
            run,
            intent_version,
            configuration_revision,
            verdicts,
            deliveries: _,
        } = message;
        let Email {
            email_id,
            tenant_id,
            message_id,
            sender_email,
            sender_name,
            recipient_email,
            subject,
            preview: _,
            received_at,
            status: _,
            intent,
            decision,
            decided_at,
            explanation,
            parse_error,
            labels: _,
        } = email;
        Some(Self {
            email_id,
            tenant_id,
            message_id,
            sender_email,
            sender_name,
            recipient_email,
            subject,
            received_at,
            intent,
            decision: decision?,
            explanation,
            parse_error,
            fields,
            classification,
            decided_by,
            decided_at: decided_at?,
            envelope,
            run,
            intent_version,
            configuration_revision,
            verdicts,
        })
    }
}
