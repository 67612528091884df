//! Wire types of messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    audit::dto::ActorKind,
    classifier::dto::Suggestion,
    deliveries::dto::{Delivery, DeliveryStatus},
    intents::dto::{Extraction, IntentInput},
    routes::dto::Planned,
    rules::dto::{OnFail, RuleInput, RuleType, Verdict, wire_enum},
    shared::{AuditId, EmailId, IntentId, Problem, RuleId, TenantId, WordId, validate::null_as_default},
};

wire_enum!(
    /// How far a message has come.
    EmailStatus { Queued = "queued", Processing = "processing", Done = "done" }
);

wire_enum!(
    /// What the verdicts together say.
    Decision { Accepted = "accepted", Rejected = "rejected", Review = "review" }
);

/// A message as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Email {
    pub email_id: EmailId,
    pub tenant_id: TenantId,
    pub message_id: String,
    pub sender_email: String,
    pub sender_name: String,
    pub recipient_email: String,
    pub subject: String,
    /// The beginning of its own text, on one line: at most 160 characters, without what it quotes and without its signature.
    /// Empty where it has no text, where it could not be read, and where it was last run before previews were kept.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub preview: String,
    pub received_at: DateTime<Utc>,
    pub status: EmailStatus,
    pub intent: Option<EmailIntent>,
    pub decision: Option<Decision>,
    /// When it got its decision; none while it has none. One that is run again keeps both until it is decided anew.
    pub decided_at: Option<DateTime<Utc>>,
    /// One or two sentences: why it was decided so, or what it waits for.
    pub explanation: String,
    /// Why it could not be read as a message, if so. The bytes are kept all the same.
    pub parse_error: Option<String>,
    /// What its routes labelled it with, by name.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub labels: Vec<String>,
}

#[cfg(test)]
impl Email {
    /// For tests of what lists do: one of acme, done.
    pub fn sample(email_id: EmailId, explanation: &str) -> Self {
        Self {
            email_id,
            tenant_id: "acme".parse().expect("an id"),
            message_id: String::new(),
            sender_email: String::new(),
            sender_name: String::new(),
            recipient_email: String::new(),
            subject: String::new(),
            preview: String::new(),
            received_at: DateTime::UNIX_EPOCH,
            status: EmailStatus::Done,
            intent: None,
            decision: None,
            decided_at: None,
            explanation: explanation.to_owned(),
            parse_error: None,
            labels: Vec::new(),
        }
    }
}

/// How the explanation of a message begins that no intent was found for.
pub const NOTHING_FITS: &str = "No intent's match conditions hold.";

/// The intent that a message got. The id is absent once the intent is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EmailIntent {
    pub intent_id: Option<IntentId>,
    pub name: String,
}

/// A message with all that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EmailDetail {
    #[serde(flatten)]
    pub email: Email,
    /// Every field that a rule or template can name, with its value; `body` and `new_text` are cut for show at 64 KiB.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Why this intent: the condition, and what else was considered.
    pub classification: Option<Classification>,
    pub decided_by: Option<String>,
    /// How it came, where that was by a mailbox.
    #[serde(default)]
    pub envelope: Option<Envelope>,
    /// How often it was decided. Verdicts are those of the last run.
    pub run: i32,
    /// The version of the intent that decided it.
    pub intent_version: Option<i32>,
    /// The state of all intents that it was held against.
    pub configuration_revision: Option<i64>,
    pub verdicts: Vec<VerdictEntry>,
    /// What its routes did, the oldest first.
    pub deliveries: Vec<Delivery>,
}

/// What one rule said, and on what grounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct VerdictEntry {
    pub rule_id: RuleId,
    pub rule_type: RuleType,
    pub field_name: String,
    pub datasource: Option<String>,
    /// What the rule demanded when it ran, in a sentence: it may be changed or deleted since. Fields are named there, and
    /// nothing of what the message says in them.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub demand: String,
    pub on_fail: OnFail,
    pub verdict: Verdict,
    /// A sentence.
    pub reason: String,
    pub evidence: Evidence,
    pub duration_ms: f64,
}

/// The grounds of a verdict. Secrets never get here: a look-up is recorded before they are added to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// The rendered look-up, such as `{"query": "SELECT …", "params": ["…"]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub lookup: Option<serde_json::Value>,
    /// The columns in the order in which the datasource gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The first rows, at most 10, long values cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<Vec<Object>>, nullable = false))]
    pub rows: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    /// How many rows the look-up gave, up to the row limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub row_count: Option<usize>,
    /// Whether there were more rows than the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub compared: Option<Compared>,
    /// What the datasource said, where it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub error: Option<String>,
}

/// The two sides of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Compared {
    /// What was looked at: a column, or a field of the message.
    pub left: String,
    pub actual: serde_json::Value,
    /// The expected value, or the pattern.
    pub expected: serde_json::Value,
}

/// How a message came to its intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Classification {
    pub method: ClassificationMethod,
    /// The intent's name, if there is one.
    pub intent: Option<String>,
    /// The conditions that held.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub because: Vec<String>,
    /// Intents that were tried before or after, and what kept them out.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub considered: Vec<Considered>,
    /// What the tenant's classifier took it for, where no conditions held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub suggestion: Option<Suggestion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClassificationMethod {
    /// The sender of the request named it.
    Requested,
    /// Its match conditions held.
    Match,
    /// No conditions held; it reads like the intent's examples.
    Classifier,
    /// A person said so.
    Corrected,
    /// No intent was found.
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Considered {
    pub intent: String,
    pub why_not: String,
}

/// How a message came, where that was by a mailbox: what its carrier said, and what came of checking who sent it
/// (RFC 8601 names the results). It is found out once, at arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Envelope {
    /// The mailbox's name then.
    pub mailbox: String,
    /// The sender that the carrier named (RFC 5321, `MAIL FROM`); empty for a notice of failure. None by IMAP.
    #[serde(default)]
    pub from: Option<String>,
    /// The recipients that lead to this mailbox. None by IMAP.
    #[serde(default)]
    pub to: Vec<String>,
    /// The address of the server that handed it on.
    #[serde(default)]
    pub client: Option<String>,
    /// What that server called itself.
    #[serde(default)]
    pub helo: Option<String>,
    /// `pass`, `fail`, `softfail`, `neutral`, `temperror`, `permerror` or `none`, as are the others.
    #[serde(default)]
    pub spf: Option<String>,
    #[serde(default)]
    pub dkim: Option<String>,
    /// Whose signatures hold.
    #[serde(default)]
    pub signed_by: Vec<String>,
    #[serde(default)]
    pub dmarc: Option<String>,
    #[serde(default)]
    pub arc: Option<String>,
}

/// The answer to `POST /api/emails` (202): the message is on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Received {
    pub email_id: EmailId,
    pub status: EmailStatus,
    /// Whether the same message had come before; then this is the first one's id.
    pub duplicate: bool,
}

/// The answer to `POST /api/emails/import` (200): what became of the messages of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Imported {
    /// How many there were: as many as the other counts together.
    pub found: usize,
    /// Newly, and on disk.
    pub stored: usize,
    /// Which were here already, and were left as they are.
    pub known: usize,
    pub refused_count: usize,
    /// The first 100 of them.
    pub refused: Vec<RefusedMessage>,
}

/// A message of a file that was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RefusedMessage {
    /// Its place in the file, from 1.
    pub number: usize,
    /// What it calls itself, if it does.
    pub message_id: Option<String>,
    /// A sentence.
    pub reason: String,
}

/// What a list of messages is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmailFilter {
    #[serde(default)]
    pub decision: Option<Decision>,
    #[serde(default)]
    pub status: Option<EmailStatus>,
    /// To those that wait for their decision: queued, or being decided.
    #[serde(default)]
    pub waiting: bool,
    #[serde(default)]
    pub intent_id: Option<IntentId>,
    /// To those that have no intent, and never had one that was deleted since.
    #[serde(default)]
    pub without_intent: bool,
    #[serde(default)]
    pub label: Option<String>,
    /// To those of which a route's last delivery for the present decision has come so far.
    #[serde(default)]
    pub delivery: Option<DeliveryStatus>,
    /// To those of which a rule's datasource could not be asked: in the last run, of which a verdict is `error`, or in the last
    /// try of one that waits to be tried again.
    #[serde(default)]
    pub could_not_ask: bool,
    /// Words, each to be found in sender, recipients, subject, text or an extracted field: see `words`.
    #[serde(default)]
    pub q: Option<String>,
    /// Received not before this.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Received before this.
    #[serde(default)]
    pub to: Option<DateTime<Utc>>,
    /// Decided not before this: by the decision that stands, whoever's it is.
    #[serde(default)]
    pub decided_after: Option<DateTime<Utc>>,
    /// Decided before this.
    #[serde(default)]
    pub decided_before: Option<DateTime<Utc>>,
}

/// Of a search, so many words are looked for.
pub const MOST_WORDS: usize = 16;

/// One page of a search looks at so many messages, the newest first: no index finds a text under row-level security.
pub const MOST_LOOKED_AT: i64 = 5_000;

impl EmailFilter {
    /// The words that are looked for: each is found as a part of a text, whatever stands beside it. What stands in double
    /// quotes is one of them, with one space for all white space within; marks around others are none of them, as in
    /// `Ann Smith <ann@x.example>`. Where there are none, no text is looked at.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let mut rest = self.q.as_deref().unwrap_or_default();
        let words = std::iter::from_fn(move || {
            rest = rest.trim_start_matches(is_between);
            let (word, left) = (!rest.is_empty()).then(|| first_word(rest))?;
            rest = left;
            Some(word)
        });
        words.filter(|word| !word.is_empty()).take(MOST_WORDS)
    }
}

/// What stands between words. No control character is part of one.
pub fn is_between(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

/// The word that a text begins with, and what comes after it. A quote that nothing ends is a mark like others.
fn first_word(text: &str) -> (String, &str) {
    if let Some((phrase, left)) = text.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        let words: Vec<&str> = phrase.split(is_between).filter(|word| !word.is_empty()).collect();
        return (words.join(" "), left);
    }
    let (word, left) = text.split_at(text.find(is_between).unwrap_or(text.len()));
    let bare = word.trim_matches(['<', '>', '"', '(', ')', ',', ';']);
    let word = if bare.contains(char::is_alphanumeric) { bare } else { word };
    (word.to_owned(), left)
}

/// A page of a list of messages, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmailPage {
    pub emails: Vec<Email>,
    /// The next page holds what is older than this message; none at the list's end. A page of a search that has looked at
    /// as many messages as it may is followed by another, however few of them it holds.
    pub next: Option<EmailId>,
    /// Of the messages that whoever asked shows, those that the page reaches and does not hold, as they stand now. None of
    /// what is gone.
    #[serde(default)]
    pub left: Vec<Email>,
}

impl IntoIterator for EmailPage {
    type Item = Email;
    type IntoIter = std::vec::IntoIter<Email>;

    fn into_iter(self) -> Self::IntoIter {
        self.emails.into_iter()
    }
}

/// The messages beside one in a list, which need not hold it. A search looks no further than a page of it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    pub newer: Option<EmailId>,
    pub older: Option<EmailId>,
}

/// The body of `POST /api/emails/{email_id}/reprocess`. It may be left out.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"versions": "today"}))))]
pub struct ReprocessInput {
    #[serde(default)]
    pub versions: Versions,
}

/// Which intents and rules a message is run again with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Versions {
    /// As they are now.
    #[default]
    Today,
    /// As they were when FlowEngine last decided the message. Datasources are asked as they are now: what they hold
    /// has no versions here, nor has how to get to them.
    Decision,
}

/// The body of `POST /api/emails/{email_id}/decision`: a person's word.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"decision": "accepted", "note": "Confirmed by telephone."}))))]
pub struct DecisionInput {
    pub decision: Decision,
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub note: String,
}

/// What a message holds beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Parts {
    /// Whether it says what it says in HTML too.
    pub has_html: bool,
    /// Why that HTML is not shown, where it is not: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub html_withheld: Option<String>,
    /// How many pictures that would be fetched from elsewhere its HTML names.
    pub remote_images: usize,
    /// How many files came with it, whether they are listed or not.
    pub attachment_count: usize,
    /// The first 200 of them.
    pub attachments: Vec<Attachment>,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// Its place in the message, from 0.
    pub index: usize,
    pub name: String,
    /// As the message says; nobody has checked it.
    pub content_type: String,
    /// In bytes.
    pub size: usize,
}

/// One thing that happened to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub occurred_at: DateTime<Utc>,
    pub actor: String,
    /// As in `email.decide`.
    pub action: String,
    /// What more there is to say of it.
    pub detail: Option<serde_json::Value>,
    /// By this the reader takes it back, where it is their last word on the message, and not long ago.
    #[serde(default)]
    pub word: Option<WordId>,
}

/// What happened to a message, as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
    /// The last first. Of the fields, those that were extracted.
    pub runs: Vec<EmailRun>,
    /// How many older runs there are.
    pub more_runs: i64,
}

/// What a message came to before, as `GET /api/emails/{email_id}/runs` tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EmailRun {
    /// As the message had it then. A later run has a larger one.
    pub run: i32,
    /// As it was called then. The id is absent once the intent is deleted.
    pub intent: Option<EmailIntent>,
    /// The version of the intent that decided it.
    pub intent_version: Option<i32>,
    /// The state of all intents that it was held against.
    pub configuration_revision: Option<i64>,
    pub decision: Decision,
    /// FlowEngine, but where a person's decision stood in the place of the run's own.
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    /// One or two sentences: why it was decided so.
    pub explanation: String,
    /// Why it could not be read as a message, if so.
    pub parse_error: Option<String>,
    /// Why this intent: the condition, and what else was considered.
    pub classification: Option<Classification>,
    /// As in the message, without its text (`body` and `new_text`) and its headers (`header.…`), which no run changes.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub fields: serde_json::Map<String, serde_json::Value>,
    pub verdicts: Vec<VerdictEntry>,
}

/// One thing that happened to a message, as `GET /api/emails/{email_id}/history` tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EmailEvent {
    /// What came later has a larger one.
    pub entry_id: AuditId,
    pub occurred_at: DateTime<Utc>,
    pub actor_kind: ActorKind,
    /// As the actor was called then.
    pub actor: String,
    /// As in `email.decide`.
    pub action: String,
    /// What a decision, or a correction of the intent, took the place of; `null` for what takes no place.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<Object>))]
    pub before: Option<serde_json::Value>,
    /// What was said or done: the decision and its note, the intent, the versions that it was run with, what was taken back, or
    /// the way by which it came.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<Object>))]
    pub after: Option<serde_json::Value>,
}

/// The answer to `POST /api/emails/{email_id}/take-back` (200).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TakenBack {
    pub email_id: EmailId,
    /// How many deliveries had left because of the word by then.
    pub sent: usize,
}

/// Of so many messages a person says a word at once: more would not be looked at before they are chosen.
pub const MOST_AT_ONCE: usize = 200;

/// What came of a word on many messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WordsDone {
    /// To which it was done, in the order in which they were named.
    pub done: Vec<EmailId>,
    /// Which are gone, or to which it could not be done.
    pub left: Vec<EmailId>,
    /// By this it is taken back, where it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<WordId>,
    /// How many deliveries were sent again; where a word was taken back: how many had left because of it by then.
    #[serde(default)]
    pub sent: usize,
    /// What broke it off, if something did: what is left was not tried then. Or why deliveries were not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// A message to try things on: one of the three.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DryMessage {
    /// RFC 5322, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// RFC 5322, any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<String>,
    /// A stored message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_id: Option<EmailId>,
}

/// The body of `POST /api/emails`, where it is JSON: `raw`, or `raw_base64`, or `sender_email` and as many of the others as
/// there are. Of those a message (RFC 5322) is made. With a `message_id`, the same parts are taken once; without, it is a
/// message of now, and what is handed in again after a second is another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(
        json!({"raw": "From: ann@acme.example\r\nSubject: Where is order 1042?\r\n\r\nPlease tell me.\r\n"}),
        json!({
            "sender_email": "ann@acme.example",
            "recipient_email": "service@shop.example",
            "subject": "Where is order 1042?",
            "body": "Please tell me.",
            "message_id": "form-1042@shop.example"
        })
    ))
)]
pub struct EmailInput {
    /// The message (RFC 5322), as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The message (RFC 5322), any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<String>,
    /// One address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(max_length = 200))]
    pub sender_name: Option<String>,
    /// One address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_email: Option<String>,
    /// One address: where answers go, if not to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub subject: Option<String>,
    /// As plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What tells it from others that say the same, such as the number that the form gave it: ASCII, without spaces, and as
    /// in a message with its angle brackets or without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(max_length = 252))]
    pub message_id: Option<String>,
}

/// The body of `POST /api/emails/dry-run`, if it is not one of `POST /api/emails`. Without a draft, the intents and rules of
/// today are run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"message": {"raw": "From: ann@acme.example\r\nSubject: Where is order 1042?\r\n\r\nPlease tell me.\r\n"}}))))]
pub struct DryRunInput {
    pub message: DryMessage,
    /// The draft's intent; left out, the one of `intent_id` as it is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentInput>,
    /// The saved intent whose place the draft takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<IntentId>,
    /// The draft's rules; left out, those of `intent_id` as they are saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(max_items = 200))]
    pub validation_rules: Option<Vec<RuleInput>>,
    /// Whether the message is to get the draft's intent, whatever its match conditions say.
    #[serde(default, deserialize_with = "null_as_default")]
    pub requested: bool,
}

/// The body of `POST /api/validation-rules/dry-run`: these rules alone, on the fields that the intent's extractors
/// find.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(json!({
        "message": {"raw": "From: ann@acme.example\r\nSubject: Where is order 1042?\r\n\r\nPlease tell me.\r\n"},
        "validation_rules": [
            {"field_name": "sender_email", "rule_type": "regex", "conditions": {"pattern": "@acme\\.example$"}}
        ]
    })))
)]
pub struct RuleDryRunInput {
    pub message: DryMessage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<IntentId>,
    #[cfg_attr(feature = "ssr", schema(min_items = 1, max_items = 200))]
    pub validation_rules: Vec<RuleInput>,
}

/// What a message would come to. Nothing of it is stored, and nothing sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DryRun {
    pub intent: Option<EmailIntent>,
    pub classification: Classification,
    /// What each extractor of the intent found, or why it found nothing.
    pub extractions: Vec<Extraction>,
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub fields: serde_json::Map<String, serde_json::Value>,
    pub parse_error: Option<String>,
    /// A draft's rules have the ids -1, -2 and so on, in the order in which they were sent.
    pub verdicts: Vec<VerdictEntry>,
    pub decision: Decision,
    pub explanation: String,
    /// What the saved routes would do on this decision.
    pub deliveries: Vec<Planned>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_a_person_means_by_them() {
        for (q, expected) in [
            ("", &[] as &[&str]),
            (" \t ", &[]),
            ("where is  it", &["where", "is", "it"]),
            (r#""order 1042""#, &["order 1042"]),
            ("\"order \n\t1042 \" open", &["order 1042", "open"]),
            (r#""(1042)" x"#, &["(1042)", "x"]),
            (r#""order 1042"#, &["order", "1042"]),
            (r#""" x"#, &["x"]),
            (r#"a"b"c"#, &[r#"a"b"c"#]),
            (r#"5" and 3" disks"#, &["5", "and", "3", "disks"]),
            (r#""Smith, Ann" <ann@x.example>,"#, &["Smith, Ann", "ann@x.example"]),
            ("Ann Smith <ann@x.example>", &["Ann", "Smith", "ann@x.example"]),
            ("(1042), (AB/77);", &["1042", "AB/77"]),
            (r#"% _ ' ( " <>"#, &["%", "_", "'", "(", "\"", "<>"]),
            ("a\u{1f}b", &["a", "b"]),
        ] {
            let filter = EmailFilter { q: Some(q.to_owned()), ..EmailFilter::default() };
            assert_eq!(filter.words().collect::<Vec<_>>(), expected, "{q:?}");
        }
        let many = EmailFilter { q: Some("x ".repeat(100)), ..EmailFilter::default() };
        assert_eq!(many.words().count(), MOST_WORDS);
    }
}
