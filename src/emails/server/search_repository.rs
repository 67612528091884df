//! SQL of lists of messages: their pages, what stands beside a message in one, and the search in what messages say.
//!
//! Under row-level security no index finds a text, since PostgreSQL hands hidden rows to no function that might tell of them.
//! So a search reads its candidates, the messages that the other filters leave, one by one, and of them no more than
//! `MOST_LOOKED_AT` at a time: it costs the same wherever in a list it begins, and however little it finds.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::{
    address::part_in_one_form,
    fields::composed,
    repository::{Row, intent_today},
};
use crate::{
    deliveries::server::under_way::STANDS,
    emails::dto::{Email, EmailFilter, EmailPage, EmailStatus, MOST_LOOKED_AT, Neighbours},
    server::TenantTx,
    shared::{EmailId, TenantId},
};

/// A way through a list.
#[derive(Clone, Copy, Debug)]
enum Side {
    Newer,
    Older,
}

impl Side {
    /// The condition on what lies on this side of an id, which follows it.
    const fn beyond(self) -> &'static str {
        match self {
            Self::Newer => " AND email_id > ",
            Self::Older => " AND email_id < ",
        }
    }

    /// The nearest first.
    const fn order(self) -> &'static str {
        match self {
            Self::Newer => " ORDER BY email_id",
            Self::Older => " ORDER BY email_id DESC",
        }
    }

    /// The same, of whatever stands before it.
    const fn direction(self) -> &'static str {
        match self {
            Self::Newer => "",
            Self::Older => " DESC",
        }
    }
}

/// The columns of a `Row`, with one of its intent.
macro_rules! columns {
    ($($intent:tt)*) => {
        concat!(
            "email_id, message_id, sender_email, sender_name, recipient_email, subject, preview, received_at, status, ",
            $($intent)*,
            ", intent_name, decision, decided_at, explanation, parse_error"
        )
    };
}
/// The columns of a `Row`, and after them its labels, of a row of `e`.
const COLUMNS: &str = columns!(intent_today!());
const LABELS: &str = ", ARRAY(SELECT label FROM email_labels l \
     WHERE l.tenant_id = e.tenant_id AND l.email_id = e.email_id ORDER BY label) AS labels";

/// What a message of the candidates `e` says, in one text: its fields `f` and what its columns hold of them. No word goes
/// from one to the next, since none holds the control character between them.
const SAID: &str = "concat_ws(E'\\x1f', e.sender_email, e.sender_name, e.recipient_email, e.subject, \
     string_agg(f.value #>> '{}', E'\\x1f'))";
/// Which fields are searched: what the sender wrote and the extractors found. What mail servers and programs note in a
/// message is full of numbers and words that nobody looks for. Of the header, those whom it went to.
const SEARCHED: &str = "jsonb_typeof(f.value) IN ('string', 'number') \
     AND (f.key NOT LIKE 'header.%' OR f.key IN ('header.to', 'header.cc')) \
     AND f.key NOT IN ('sender_email', 'sender_domain', 'sender_name', 'recipient_email', 'subject', 'message_id', \
       'received_at', 'attachment_count', 'mailbox', 'spf', 'dkim', 'dmarc', 'arc', 'new_text')";

/// A candidate of a search that is shown, or beyond which the next page begins.
#[derive(sqlx::FromRow)]
struct Candidate {
    #[sqlx(flatten)]
    row: Row,
    fits: bool,
    /// Whether as many were looked at, with this one, as may be.
    is_last: bool,
}

/// Newest first, before the id `before`.
pub async fn page(
    tx: &mut TenantTx,
    filter: &EmailFilter,
    before: Option<EmailId>,
    limit: i64,
) -> sqlx::Result<EmailPage> {
    if is_search(filter) {
        return search(tx, filter, before, limit).await;
    }
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(LABELS);
    push_messages(&mut query, tx.tenant(), filter, Side::Older, before);
    query.push(" LIMIT ").push_bind(limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    let next = rows.last().filter(|_| is_full(rows.len(), limit)).map(|last| last.email_id);
    Ok(EmailPage { emails: rows.into_iter().map(|row| row.into_email(tx)).collect(), next, left: Vec::new() })
}

/// Those of the messages that are there, newest first, whatever a list is narrowed to.
pub async fn of_ids(tx: &mut TenantTx, ids: &[EmailId]) -> sqlx::Result<Vec<Email>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(LABELS).push(" FROM emails e WHERE tenant_id = ");
    query.push_bind(tx.tenant().as_str()).push(" AND email_id = ANY(");
    query.push_bind(ids.iter().map(|id| id.0).collect::<Vec<_>>()).push("::uuid[])");
    query.push(Side::Older.order());
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|row| row.into_email(tx)).collect())
}

/// The same, of the messages that hold the filter's words. Where the candidates are not yet at their end, the last one
/// that was looked at comes too, in one statement with what fits: what joins or leaves them meanwhile moves nothing.
async fn search(
    tx: &mut TenantTx,
    filter: &EmailFilter,
    before: Option<EmailId>,
    limit: i64,
) -> sqlx::Result<EmailPage> {
    // `LIMIT` keeps the words out of the innermost query: they are looked for in its rows alone, and in these one after
    // the other, until the page is full.
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(", fits, is_last").push(LABELS);
    query.push(" FROM (SELECT e.*, said.fits, row_number() OVER (ORDER BY email_id DESC) = ");
    query
        .push(MOST_LOOKED_AT)
        .push(" AS is_last FROM (SELECT tenant_id, fields, ")
        .push(columns!("intent_id"));
    push_messages(&mut query, tx.tenant(), filter, Side::Older, before);
    query.push(" LIMIT ").push(MOST_LOOKED_AT).push(") e");
    push_said(&mut query, filter);
    query.push(") e WHERE fits OR is_last").push(Side::Older.order()).push(" LIMIT ").push_bind(limit);
    let found: Vec<Candidate> = query.build_query_as().fetch_all(tx.conn()).await?;
    let is_full = is_full(found.len(), limit);
    let next = found.last().filter(|last| is_full || last.is_last).map(|last| last.row.email_id);
    let fitting = found.into_iter().filter(|candidate| candidate.fits);
    let emails = fitting.map(|candidate| candidate.row.into_email(tx)).collect();
    Ok(EmailPage { emails, next, left: Vec::new() })
}

/// Which messages stand beside one in a list, whether that holds it or not.
pub async fn neighbours(tx: &mut TenantTx, filter: &EmailFilter, of: EmailId) -> sqlx::Result<Neighbours> {
    let newer = neighbour(tx, filter, Side::Newer, of).await?;
    let older = neighbour(tx, filter, Side::Older, of).await?;
    Ok(Neighbours { newer, older })
}

async fn neighbour(
    tx: &mut TenantTx,
    filter: &EmailFilter,
    side: Side,
    of: EmailId,
) -> sqlx::Result<Option<EmailId>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT email_id");
    if is_search(filter) {
        query.push(" FROM (SELECT email_id, sender_email, sender_name, recipient_email, subject, fields");
        push_messages(&mut query, tx.tenant(), filter, side, Some(of));
        query.push(" LIMIT ").push(MOST_LOOKED_AT).push(") e");
        push_said(&mut query, filter);
        query.push(" WHERE fits").push(side.order());
    } else {
        push_messages(&mut query, tx.tenant(), filter, side, Some(of));
    }
    query.push(" LIMIT 1");
    query.build_query_scalar().fetch_optional(tx.conn()).await
}

/// Those of the messages that a list holds which is narrowed so.
pub async fn fitting(
    tx: &mut TenantTx,
    filter: &EmailFilter,
    ids: &[EmailId],
) -> sqlx::Result<HashSet<EmailId>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT email_id FROM (SELECT email_id, ");
    query.push("sender_email, sender_name, recipient_email, subject, fields FROM unnest(");
    query.push_bind(ids.iter().map(|id| id.0).collect::<Vec<_>>()).push("::uuid[]) AS few (id)");
    push_each(&mut query, tx.tenant(), filter, None);
    query.push(" LIMIT ").push(MOST_LOOKED_AT).push(") e");
    if is_search(filter) {
        push_said(&mut query, filter);
        query.push(" WHERE fits");
    }
    Ok(query.build_query_scalar().fetch_all(tx.conn()).await?.into_iter().collect())
}

pub fn is_search(filter: &EmailFilter) -> bool {
    filter.words().next().is_some()
}

fn is_full(count: usize, limit: i64) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= limit)
}

/// Adds where a query's rows come from: the messages `e` that the filter leaves, its words aside, the nearest of `side` first;
/// those beyond `from` alone, where it is given.
fn push_messages(
    query: &mut QueryBuilder<Postgres>,
    tenant: &TenantId,
    filter: &EmailFilter,
    side: Side,
    from: Option<EmailId>,
) {
    let beyond = from.map(|from| (side, from));
    if is_of_few(filter) {
        push_few(query, tenant, filter, side, beyond);
        push_each(query, tenant, filter, beyond);
        query.push(" ORDER BY few.id").push(side.direction());
    } else {
        query.push(" FROM emails e WHERE tenant_id = ").push_bind(tenant.as_str());
        push_stretch(query, filter, beyond);
        push_conditions(query, tenant, filter, beyond);
        query.push(side.order());
    }
}

/// Whether the filter goes by what few messages have, as another table says.
pub fn is_of_few(filter: &EmailFilter) -> bool {
    filter.delivery.is_some() || filter.could_not_ask
}

/// Whether the filter leaves what waits for its decision alone.
fn is_of_what_waits(filter: &EmailFilter) -> bool {
    filter.waiting || matches!(filter.status, Some(EmailStatus::Queued | EmailStatus::Processing))
}

/// The jobs of messages of which a datasource could not be asked when they were last tried, and which are tried again. Their
/// index says the same.
const TRIED_IN_VAIN: &str = "jobs WHERE email_id IS NOT NULL AND last_error IS NOT NULL";

/// The condition on verdicts that their message waits. However many were errors of messages that are decided by now, and
/// however many messages wait: PostgreSQL begins with the fewer.
const WAITS: &str = " AND EXISTS (SELECT FROM emails w WHERE w.tenant_id = verdicts.tenant_id \
     AND w.email_id = verdicts.email_id AND w.status <> 'done')";

/// Adds `few.id`, of the messages that may be among the few. Whether they still are is found out of one after the other,
/// until there are enough: as a condition of messages alone, PostgreSQL would find it out of all first.
fn push_few(
    query: &mut QueryBuilder<Postgres>,
    tenant: &TenantId,
    filter: &EmailFilter,
    side: Side,
    beyond: Option<(Side, EmailId)>,
) {
    query.push(" FROM (SELECT DISTINCT email_id AS id FROM ");
    if let Some(status) = filter.delivery {
        query.push("deliveries WHERE status = ").push_bind(status.as_str());
        push_in_order(query, tenant, filter, side, beyond);
    } else {
        // Each in order already, so that the two are merged, and neither is read further than it has to be.
        query.push("((SELECT email_id FROM verdicts WHERE verdict = 'error'");
        if is_of_what_waits(filter) {
            query.push(WAITS);
        }
        push_in_order(query, tenant, filter, side, beyond);
        query.push(") UNION ALL (SELECT email_id FROM ").push(TRIED_IN_VAIN);
        push_in_order(query, tenant, filter, side, beyond);
        query.push(")) tried").push(side.order());
    }
    query.push(") few");
}

/// Adds to what is selected of a table that its rows are of the tenant's messages that may be listed, the nearest first.
fn push_in_order(
    query: &mut QueryBuilder<Postgres>,
    tenant: &TenantId,
    filter: &EmailFilter,
    side: Side,
    beyond: Option<(Side, EmailId)>,
) {
    query.push(" AND tenant_id = ").push_bind(tenant.as_str());
    push_stretch(query, filter, beyond);
    query.push(side.order());
}

/// Adds, of the messages `few.id`, those that the filter leaves. Each is read by its key, whatever else has an index.
fn push_each(
    query: &mut QueryBuilder<Postgres>,
    tenant: &TenantId,
    filter: &EmailFilter,
    beyond: Option<(Side, EmailId)>,
) {
    query.push(" CROSS JOIN LATERAL (SELECT e.* FROM emails e WHERE tenant_id = ").push_bind(tenant.as_str());
    query.push(" AND email_id = few.id");
    push_conditions(query, tenant, filter, beyond);
    query.push(" OFFSET 0) e");
}

/// Adds what the filter says of a message `e`.
///
/// Built, not one text for all filters: each of them has an index, which a condition such as `$1 IS NULL OR …` would keep
/// from being used.
fn push_conditions(
    query: &mut QueryBuilder<Postgres>,
    tenant: &TenantId,
    filter: &EmailFilter,
    beyond: Option<(Side, EmailId)>,
) {
    if let Some(decision) = filter.decision {
        query.push(" AND decision = ").push_bind(decision.as_str());
    }
    match filter.status {
        // As the index of what is not done yet has it.
        Some(status @ (EmailStatus::Queued | EmailStatus::Processing)) => {
            query.push(" AND status <> 'done' AND status = ").push_bind(status.as_str());
        }
        Some(status) => {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        None => {}
    }
    if filter.waiting {
        query.push(" AND status <> 'done'");
    }
    if let Some(intent) = filter.intent_id {
        query.push(" AND intent_id = ").push_bind(intent);
        // Its messages keep the id of an intent that is deleted, and show it no more.
        query.push(" AND EXISTS (SELECT FROM intents i WHERE i.tenant_id = ").push_bind(tenant.as_str());
        query.push(" AND i.intent_id = ").push_bind(intent).push(")");
    }
    if filter.without_intent {
        query.push(" AND intent_id IS NULL AND intent_name IS NULL");
    }
    if let Some(from) = filter.from {
        query.push(" AND received_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        query.push(" AND received_at < ").push_bind(to);
    }
    if let Some(after) = filter.decided_after {
        query.push(" AND decided_at >= ").push_bind(after);
    }
    if let Some(before) = filter.decided_before {
        query.push(" AND decided_at < ").push_bind(before);
    }
    if let Some(label) = &filter.label {
        query.push(
            " AND EXISTS (SELECT FROM email_labels l WHERE l.tenant_id = e.tenant_id AND l.email_id = e.email_id \
             AND l.label = ",
        );
        query.push_bind(label.as_str());
        push_stretch(query, filter, beyond);
        query.push(")");
    }
    if let Some(status) = filter.delivery {
        query.push(
            " AND EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = e.tenant_id AND d.email_id = e.email_id \
             AND d.status = ",
        );
        query.push_bind(status.as_str());
        query.push(" AND ").push(STANDS).push(")");
    }
    if filter.could_not_ask {
        query.push(
            " AND (EXISTS (SELECT FROM verdicts v WHERE v.tenant_id = e.tenant_id AND v.email_id = e.email_id \
             AND v.run = e.run AND v.verdict = 'error') \
             OR EXISTS (SELECT FROM jobs j WHERE j.tenant_id = e.tenant_id AND j.email_id = e.email_id \
             AND j.last_error IS NOT NULL))",
        );
    }
}

/// Adds between which ids the messages lie that may be listed. Whatever narrows them by another table says so of its rows
/// too: a later page would otherwise pass by those of all pages before it.
fn push_stretch(query: &mut QueryBuilder<Postgres>, filter: &EmailFilter, beyond: Option<(Side, EmailId)>) {
    if let Some((side, id)) = beyond {
        query.push(side.beyond()).push_bind(id);
    }
    if let Some(from) = filter.from {
        query.push(" AND email_id >= ").push_bind(earliest(from));
    }
    if let Some(before) = filter.decided_before {
        query.push(" AND email_id < ").push_bind(first_undecided(before));
    }
}

/// Every message that was decided before this time has a smaller id: it was stored first. The hour is for clocks that differ,
/// as above. There is no such bound below: an old message is decided anew at any time.
fn first_undecided(decided_before: DateTime<Utc>) -> EmailId {
    EmailId::earliest(decided_before.checked_add_signed(TimeDelta::hours(1)).unwrap_or(decided_before))
}

/// No message that was received at this time or later has a smaller id, by which alone older ones need not be read.
///
/// An id is made as its message is stored, so after `received_at`; the hour is for a clock that was set meanwhile. There is
/// no such bound above: what is stored late, or is given an earlier time, has a later id.
fn earliest(received_at: DateTime<Utc>) -> EmailId {
    EmailId::earliest(received_at.checked_sub_signed(TimeDelta::hours(1)).unwrap_or(received_at))
}

/// Adds to a query of the candidates `e` whether each holds all words of the filter: `said.fits`. What it says is put
/// together and folded once, however many words are looked for; `OFFSET 0` keeps it from being put together for each.
fn push_said(query: &mut QueryBuilder<Postgres>, filter: &EmailFilter) {
    let words: Vec<String> = filter.words().map(|word| composed(&word).into_owned()).collect();
    let capitals = Capitals::of(&words);
    let has_phrase = words.iter().any(|word| word.contains(' '));
    query.push(" CROSS JOIN LATERAL (SELECT ");
    for (place, word) in words.into_iter().enumerate() {
        let other = in_addresses(&word);
        query.push(if place == 0 { "(strpos(text, " } else { " AND (strpos(text, " });
        capitals.push_folded(query, |query| {
            query.push_bind(word);
        });
        query.push(") > 0");
        if let Some(other) = other {
            query.push(" OR strpos(text, ").push_bind(other).push(") > 0");
        }
        query.push(")");
    }
    query.push(" AS fits FROM (SELECT ");
    capitals.push_folded(query, |query| {
        if has_phrase {
            push_spaced(query, SAID);
        } else {
            query.push(SAID);
        }
    });
    query.push(" AS text FROM jsonb_each(e.fields) f WHERE ").push(SEARCHED).push(") t OFFSET 0) said");
}

/// A word as addresses have it that it is a part of, where that is in other letters: their domains are kept in ASCII. That
/// goes for whole labels: `müster` is found in `xn--mster-kva.example`, and `müst` is not, since nothing of it stands there.
fn in_addresses(word: &str) -> Option<String> {
    let form = (!word.is_ascii()).then(|| part_in_one_form(word))?;
    form.contains("xn--").then_some(form)
}

/// Adds a text with one space for all white space within, as phrases have it: lines are broken where they are full. A pair
/// of control characters takes the place of each space, and what ends one pair and begins the next goes; a pattern would
/// take ten times as long.
fn push_spaced(query: &mut QueryBuilder<Postgres>, text: &str) {
    query.push("replace(replace(replace(translate(").push(text).push(", ");
    query
        .push_bind("\t\r\n\u{a0}")
        .push(", '    '), ' ', E'\\x01\\x02'), E'\\x02\\x01', ''), E'\\x01\\x02', ' ')");
}

/// The capital letters outside ASCII that are looked for, and the small ones that they count as: of such letters, a
/// database whose locale is `C` knows none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Capitals {
    capital: String,
    small: String,
}

impl Capitals {
    fn of(words: &[impl AsRef<str>]) -> Self {
        let mut known = Self::default();
        for letter in words.iter().flat_map(|word| word.as_ref().chars()) {
            let Some((capital, small)) = sole(letter.to_uppercase()).zip(sole(letter.to_lowercase())) else {
                continue;
            };
            let is_pair = capital != small && sole(capital.to_lowercase()) == Some(small);
            if is_pair && !capital.is_ascii() && !small.is_ascii() && !known.capital.contains(capital) {
                known.capital.push(capital);
                known.small.push(small);
            }
        }
        known
    }

    /// Adds a text as it is compared.
    fn push_folded(
        &self,
        query: &mut QueryBuilder<Postgres>,
        push_text: impl FnOnce(&mut QueryBuilder<Postgres>),
    ) {
        if self.capital.is_empty() {
            query.push("lower(");
            push_text(query);
            query.push(")");
        } else {
            query.push("translate(lower(");
            push_text(query);
            query.push("), ").push_bind(self.capital.clone());
            query.push(", ").push_bind(self.small.clone()).push(")");
        }
    }
}

/// The letter, where there is but one.
fn sole(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let letter = letters.next()?;
    letters.next().is_none().then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::dto::DeliveryStatus;

    #[test]
    fn a_list_of_what_few_messages_have_begins_with_those() {
        let tenant: TenantId = "acme".parse().expect("an id");
        let text = |filter: EmailFilter| {
            let mut query = QueryBuilder::<Postgres>::new("SELECT email_id");
            push_messages(&mut query, &tenant, &filter, Side::Older, None);
            query.into_string()
        };
        let delivery = Some(DeliveryStatus::Failed);
        let given_up = text(EmailFilter { delivery, could_not_ask: true, ..EmailFilter::default() });
        let could_not_ask = EmailFilter { could_not_ask: true, ..EmailFilter::default() };
        let waiting = text(EmailFilter { waiting: true, ..could_not_ask.clone() });
        let queued = text(EmailFilter { status: Some(EmailStatus::Queued), ..could_not_ask.clone() });
        let done = text(EmailFilter { status: Some(EmailStatus::Done), ..could_not_ask.clone() });
        let verdicts = "((SELECT email_id FROM verdicts WHERE verdict = 'error'";
        let of_all = format!("{verdicts} AND tenant_id = ");
        // Of what waits, verdicts of other messages are none, and what was not tried yet is not gone through.
        let of_what_waits = format!("{verdicts}{WAITS} AND tenant_id = ");
        let tried = format!(") UNION ALL (SELECT email_id FROM {TRIED_IN_VAIN} AND tenant_id = ");
        for (text, tables, is_of_two) in [
            (given_up, "deliveries WHERE ", false),
            (text(could_not_ask), of_all.as_str(), true),
            (done, of_all.as_str(), true),
            (waiting, of_what_waits.as_str(), true),
            (queued, of_what_waits.as_str(), true),
        ] {
            let few = format!("SELECT email_id FROM (SELECT DISTINCT email_id AS id FROM {tables}");
            assert!(text.starts_with(&few) && text.ends_with(" OFFSET 0) e ORDER BY few.id DESC"), "{text}");
            assert_eq!(text.contains(&tried), is_of_two, "{text}");
        }
        let all = "SELECT email_id FROM emails e WHERE tenant_id = $1 ORDER BY email_id DESC";
        assert_eq!(text(EmailFilter::default()), all);
    }

    #[test]
    fn the_least_id_of_a_time_is_of_an_hour_before() {
        // The example of RFC 9562, A.6.
        let at = |millis| DateTime::from_timestamp_millis(millis).expect("a time");
        let hour = 3_600_000;
        let example = 0x017F_22E2_79B0;
        assert_eq!(earliest(at(example + hour)).to_string(), "017f22e2-79b0-0000-0000-000000000000");
        let made: EmailId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().expect("an id");
        assert!(earliest(at(example + hour)) <= made && made < earliest(at(example + hour + 1)));
        assert_eq!(first_undecided(at(example - hour)), earliest(at(example + hour)));
        assert!(made < first_undecided(at(example - hour + 1)), "decided within the millisecond");
        for early in [DateTime::UNIX_EPOCH, DateTime::<Utc>::MIN_UTC] {
            assert_eq!(earliest(early).to_string(), "00000000-0000-0000-0000-000000000000");
        }
    }

    #[test]
    fn a_label_of_a_domain_is_looked_for_as_it_is_kept_too() {
        for (word, form) in [
            ("müster", Some("xn--mster-kva")),
            ("MÜSTER.example", Some("xn--mster-kva.example")),
            ("@müster.ex", Some("@xn--mster-kva.ex")),
            ("Zoë@müster", Some("zoë@xn--mster-kva")),
            // Such are not kept in other letters, or are no part of an address.
            ("zoë@x.example", None),
            ("müster & co", None),
            ("mü/ster", None),
            ("…", None),
            ("XN--mster-kva", None),
            ("100%ü", None),
            ("", None),
        ] {
            assert_eq!(in_addresses(word).as_deref(), form, "{word}");
        }
    }

    #[test]
    fn capitals_outside_ascii_count_as_the_small_letters_that_are_looked_for() {
        let pairs = |words: &[&str]| {
            let Capitals { capital, small } = Capitals::of(words);
            (capital, small)
        };
        assert_eq!(pairs(&["grüne", "ÜBER"]), ("Ü".to_owned(), "ü".to_owned()));
        assert_eq!(pairs(&["Äpfel", "Ωμέγα"]), ("ÄΩΜΈΓΑ".to_owned(), "äωμέγα".to_owned()));
        // Neither letters without a pair, nor such whose pair is of ASCII or of several letters.
        assert_eq!(
            Capitals::of(&["Order", "1042", "straße", "ς", "ı", "ſ", "\u{212a}", "注文"]),
            Capitals::default()
        );
    }
}
