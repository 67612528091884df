//! Business rules of examples and of the classifier.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    gate,
    learned::{Learned, text_of},
    repository,
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    classifier::{
        dto::{Classifier, CurvePoint, Example, MAX_TEXT, State, TestAnswer, TextInput, percent},
        model::{Model, Report},
    },
    deliveries::server::under_way as deliveries,
    emails::{
        dto::{EmailStatus, Received},
        server::stored::{self as emails, Speaker, Uncorrected},
    },
    intents::{dto::Intent, server::reading as intents},
    server::{
        AppState, Error, Result, TenantContext, TenantTx,
        error::{OnConstraint, invalid_reference},
        etag::{IfMatch, Versioned},
        paging::Page,
        queue,
        same::is_same,
    },
    shared::{EmailId, ExampleId, IntentId, Problem, WordId, validate::Checks},
};

/// The gate of a tenant that set none.
const DEFAULT_GATE: f64 = 0.95;
/// What one tenant may have: training takes memory and time in proportion. The oldest corrections give way to newer ones,
/// and to what somebody writes.
const MAX_EXAMPLES: i64 = 20_000;

/// What is said where the examples broke each training.
const RESTS: &str = "It could not learn from the examples as they are now: each try broke off. It tries again once \
    they change.";

/// What of the classifier is set by somebody.
#[derive(serde::Serialize)]
struct Gate(f64);

impl Versioned for Gate {}

impl Versioned for Classifier {
    /// Without what training changes, which is nobody's change to lose.
    fn etag(&self) -> String {
        Gate(self.gate).etag()
    }
}

/// Newest first.
///
/// # Errors
/// 403, 404.
pub async fn list(ctx: &TenantContext, intent: IntentId, page: Page<i64>) -> Result<Vec<Example>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    intents::find(&mut tx, intent).await?;
    Ok(repository::list(&mut tx, intent, page.cursor, page.limit).await?)
}

/// # Errors
/// 403, 404, 409 for a text that somebody wrote for the intent before, 422; 400 where there are too many.
pub async fn add(ctx: &TenantContext, intent: IntentId, input: &TextInput) -> Result<Example> {
    ctx.require(Permission::Configure)?;
    let text = checked(input)?;
    let mut tx = ctx.begin().await?;
    intents::find(&mut tx, intent).await?;
    let example = repository::insert(&mut tx, intent, &text)
        .await
        .on_constraint("uq_eivs_intent_examples_text", || {
            Problem::new(409, "This text is an example of the intent already")
        })?;
    make_room(&mut tx).await?;
    ctx.audit(&mut tx, Event::done("example.create", example.example_id, json!({"intent_id": intent})))
        .await?;
    tx.commit().await?;
    ctx.app.training_bell.notify_one();
    Ok(example)
}

/// # Errors
/// 403, 404.
pub async fn delete(ctx: &TenantContext, intent: IntentId, example: ExampleId) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    if !repository::delete(&mut tx, intent, example).await? {
        return Err(Problem::not_found("Example", example).into());
    }
    ctx.audit(&mut tx, Event::done("example.delete", example, json!({"intent_id": intent}))).await?;
    tx.commit().await?;
    ctx.app.training_bell.notify_one();
    Ok(())
}

/// The intent, if a message can be said to have it: an active one.
///
/// # Errors
/// The database's.
pub async fn choosable(tx: &mut TenantTx, id: IntentId) -> Result<Option<Intent>> {
    Ok(intents::if_there(tx, id).await?.filter(|intent| intent.is_active))
}

/// A person's word on what a message is about, which is taken back by `word`: it becomes an example, and the message runs
/// again with that intent, or with none. What is sent because of it is held back as long as the screen offers to take it
/// back.
///
/// # Errors
/// 403, 404; 400 for an intent that is not there or not active.
pub async fn correct(
    ctx: &TenantContext,
    email: EmailId,
    intent: Option<IntentId>,
    word: WordId,
) -> Result<Received> {
    correct_by(ctx, email, intent, word, true).await
}

/// The same, with nothing held back: the API offers nobody to take it back.
///
/// # Errors
/// As `correct`.
pub async fn correct_at_once(
    ctx: &TenantContext,
    email: EmailId,
    intent: Option<IntentId>,
    word: WordId,
) -> Result<Received> {
    correct_by(ctx, email, intent, word, false).await
}

async fn correct_by(
    ctx: &TenantContext,
    email: EmailId,
    intent: Option<IntentId>,
    word: WordId,
    is_held: bool,
) -> Result<Received> {
    ctx.require(Permission::WorkMessages)?;
    let not_found = || Problem::not_found("Email", email);
    let mut tx = ctx.begin().await?;
    let intent = match intent {
        None => None,
        Some(id) => {
            let invalid = || invalid_reference("intent");
            Some(choosable(&mut tx, id).await?.ok_or_else(invalid)?)
        }
    };
    // First the job, as a worker does: both take the two rows in the same order.
    queue::enqueue(&mut tx, &[email]).await.on_constraint("fk_eivs_jobs_email", not_found)?;
    let name = intent.as_ref().map(|intent| intent.name.as_str());
    let (label, identity) = (ctx.actor.label(), ctx.actor.identity());
    let by = Speaker { word, identity: &identity, label: &label };
    // Whoever takes a word back changes the example without a job.
    emails::lock(&mut tx, email).await?;
    let example = repository::of_message(&mut tx, email).await?;
    let corrected = emails::correct(&mut tx, email, intent.as_ref(), example, by, is_held).await?;
    let Uncorrected { fields, intent_name: before } = corrected.ok_or_else(not_found)?;
    // What is under way was for the intent that it is not.
    deliveries::call_off(&mut tx, email, "The message's intent was corrected").await?;
    let event = Event::done("email.correct_intent", email, json!({"intent": name}));
    ctx.audit(&mut tx, Event { before: Some(json!({"intent": before})), ..event }).await?;
    learn(&mut tx, email, intent.as_ref().map(|intent| intent.intent_id), &text_of_fields(&fields)).await?;
    tx.commit().await?;
    ctx.app.job_bell.notify_one();
    ctx.app.training_bell.notify_one();
    Ok(Received { email_id: email, status: EmailStatus::Queued, duplicate: false })
}

/// What a correction that is taken back leaves of its example: none, or the one that stood before it, of that intent or of
/// no intent. It is learned anew, as that was.
///
/// # Errors
/// 404; the database's.
pub async fn restore_correction(
    tx: &mut TenantTx,
    email: EmailId,
    before: Option<Option<IntentId>>,
) -> Result<()> {
    let Some(intent) = before else {
        return Ok(repository::correct(tx, email, None, "").await?);
    };
    let stored = emails::find(tx, email).await?.ok_or_else(|| Problem::not_found("Email", email))?;
    learn(tx, email, intent, &text_of_fields(&stored.fields)).await
}

/// Makes an example of a correction. Last in its transaction: until that ends, the tenant's other changes of examples
/// wait.
async fn learn(tx: &mut TenantTx, email: EmailId, intent: Option<IntentId>, text: &str) -> Result<()> {
    repository::correct(tx, email, intent, text).await?;
    Ok(repository::drop_old_corrections(tx, MAX_EXAMPLES).await?)
}

/// What is learned from a message, by its fields.
fn text_of_fields(fields: &Map<String, Value>) -> String {
    text_of(|name| fields.get(name).and_then(Value::as_str))
}

/// Lets corrections give way to examples that were just written.
///
/// # Errors
/// 400 where there are too many all the same.
async fn make_room(tx: &mut TenantTx) -> Result<()> {
    repository::drop_old_corrections(tx, MAX_EXAMPLES).await?;
    if repository::count(tx).await? > MAX_EXAMPLES {
        let sentence = format!("A tenant can have at most {MAX_EXAMPLES} examples. Delete some first");
        return Err(Problem::business_rule(sentence).into());
    }
    Ok(())
}

/// # Errors
/// 403.
pub async fn get(ctx: &TenantContext) -> Result<Classifier> {
    ctx.require(Permission::Read)?;
    read(&mut ctx.begin().await?).await
}

async fn read(tx: &mut TenantTx) -> Result<Classifier> {
    let examples = repository::count_by_intent(tx).await?;
    let status = repository::status(tx).await?;
    let gate = status.as_ref().map_or(DEFAULT_GATE, |status| status.gate);
    let is_resting = status.as_ref().is_some_and(|status| status.is_resting);
    let is_stale = status.as_ref().is_some_and(|status| status.is_stale) && !is_resting;
    let trained_at = status.as_ref().and_then(|status| status.trained_at);
    let report = status.and_then(|status| status.report).map(|json| json.0);
    let standing = gate::standing(&report.clone().unwrap_or_default(), gate);
    Ok(Classifier {
        state: match (&report, is_stale) {
            (_, true) => State::Training,
            (None, false) => State::None,
            (Some(_), false) => State::Ready,
        },
        gate,
        suggests_only: standing.point.is_none(),
        why: match &report {
            _ if !is_resting => standing.why,
            Some(_) => format!("{} {RESTS}", standing.why),
            None => RESTS.into(),
        },
        threshold: standing.point.map(|point| point.threshold),
        examples,
        trained_at,
        trained_on: report.as_ref().map_or(0, |report| report.examples),
        accuracy: report.as_ref().map(|report| report.accuracy),
        curve: report.map(curve).unwrap_or_default(),
    })
}

fn curve(report: Report) -> Vec<CurvePoint> {
    let point = |point: crate::classifier::model::Point| CurvePoint {
        threshold: point.threshold,
        decided: point.decided,
        precision: point.precision,
    };
    report.curve.into_iter().map(point).collect()
}

/// Where it is so already, nothing is written.
///
/// # Errors
/// 403, 412, 422.
pub async fn set_gate(ctx: &TenantContext, gate: f64, if_match: &IfMatch) -> Result<Classifier> {
    ctx.require(Permission::Configure)?;
    check_gate(gate)?;
    let mut tx = ctx.begin().await?;
    let before = repository::lock_gate(&mut tx, DEFAULT_GATE).await?;
    if_match.check(&Gate(before))?;
    let (before, after) = (json!({"gate": before}), json!({"gate": gate}));
    if is_same(&before, &after) {
        return read(&mut tx).await;
    }
    repository::set_gate(&mut tx, gate).await?;
    ctx.audit(&mut tx, Event::updated("classifier.set_gate", "gate", &before, &after)).await?;
    // Before the commit: what is done is not to be answered as if it were not.
    let classifier = read(&mut tx).await?;
    tx.commit().await?;
    Ok(classifier)
}

/// The tenant's gate.
///
/// # Errors
/// The database's.
pub async fn gate(tx: &mut TenantTx) -> Result<f64> {
    Ok(repository::status(tx).await?.map_or(DEFAULT_GATE, |status| status.gate))
}

/// Sets the gate, as a part of a larger change.
///
/// # Errors
/// 422.
pub async fn put_gate(tx: &mut TenantTx, gate: f64) -> Result<()> {
    check_gate(gate)?;
    Ok(repository::set_gate(tx, gate).await?)
}

fn check_gate(gate: f64) -> Result<(), Problem> {
    if (0.5..=1.0).contains(&gate) {
        return Ok(());
    }
    Err(Problem::invalid_field("gate", "must be a number from 0.5 to 1"))
}

/// The examples that somebody wrote, by intent and text. What people corrected belongs to its message and is not
/// among them.
///
/// # Errors
/// 400 where they have more than `most` bytes.
pub async fn written_examples(tx: &mut TenantTx, most: usize) -> Result<Vec<(IntentId, String)>> {
    let size = repository::size_of_written(tx).await?;
    if usize::try_from(size).unwrap_or(usize::MAX) > most {
        let sentence =
            format!("The examples have {size} bytes, which is more than an import takes in ({most})");
        return Err(Problem::business_rule(sentence).into());
    }
    Ok(repository::written(tx).await?)
}

/// Makes these the texts that an intent's written examples are, as a part of a larger change; those that are there
/// beside them stay, unless `only` is set. Gives how many written ones there were and are. A text that a correction has
/// brought as well counts once all the same.
///
/// # Errors
/// 422 naming the text as in `examples[3]`; 400 where there are too many.
pub async fn put_examples(
    tx: &mut TenantTx,
    intent: IntentId,
    texts: &[String],
    only: bool,
) -> Result<(usize, usize, bool)> {
    let mut checks = Checks::default();
    let mut wanted = Vec::with_capacity(texts.len());
    for (i, text) in texts.iter().enumerate() {
        match checked(&TextInput { text: text.clone() }) {
            Ok(text) => wanted.push(text),
            Err(problem) => {
                for error in problem.errors {
                    checks.fault(format!("examples[{i}]"), error.message);
                }
            }
        }
    }
    checks.finish()?;
    let (before, removed) = repository::keep_written(tx, intent, &wanted, only).await?;
    let added = repository::add_written(tx, intent, &wanted).await?;
    if added > 0 {
        make_room(tx).await?;
    }
    let after = (before + added).saturating_sub(removed);
    Ok((before, after, added + removed > 0))
}

/// What the classifier would say of a text. Nothing is stored.
///
/// # Errors
/// 403, 422.
pub async fn test(ctx: &TenantContext, input: &TextInput) -> Result<TestAnswer> {
    ctx.require(Permission::Read)?;
    let text = checked(input)?;
    let mut tx = ctx.begin().await?;
    let learned = learned(&ctx.app, &mut tx).await?;
    let all = intents::active_by_priority(&mut tx).await?;
    tx.commit().await?;
    let Some(learned) = learned else {
        let explanation = "There is no model yet: it needs examples of at least two intents.".into();
        return Ok(TestAnswer { suggestion: None, explanation });
    };
    let suggestion = learned.suggest(&all, &text);
    let explanation = match &suggestion {
        None => "It is like no intent's examples, so the classifier says nothing.".into(),
        Some(found) => {
            let sure = format!("It looks like {} ({})", found.intent, percent(found.probability));
            match &found.only_suggested {
                None => format!("{sure}, and a message like it would get that intent."),
                Some(why) => format!("{sure}, but {why}."),
            }
        }
    };
    Ok(TestAnswer { suggestion, explanation })
}

/// The tenant's trained model with what its gate allows, if there is one: from memory where it is the latest.
///
/// # Errors
/// The database's.
pub async fn learned(app: &AppState, tx: &mut TenantTx) -> Result<Option<Learned>> {
    let Some(status) = repository::status(tx).await? else { return Ok(None) };
    let (Some(version), Some(report)) = (status.version(), status.report) else { return Ok(None) };
    let tenant = tx.tenant().clone();
    let model = match app.models.get(&tenant, version) {
        Some(model) => model,
        None => {
            let Some(stored) = repository::model(tx, version).await? else { return Ok(None) };
            let size = stored.len();
            let read = tokio::task::spawn_blocking(move || Model::from_bytes(&stored)).await;
            match read.map_err(Error::internal)? {
                Ok(model) => {
                    let model = Arc::new(model);
                    app.models.keep(&tenant, version, size, Arc::clone(&model));
                    model
                }
                // Another version's form; the message is decided without it.
                Err(error) => {
                    tracing::error!(%tenant, %error, "the stored model cannot be read");
                    return Ok(None);
                }
            }
        }
    };
    Ok(Some(Learned::new(model, &report.0, status.gate)))
}

fn checked(input: &TextInput) -> Result<String, Problem> {
    let mut checks = Checks::default();
    let text = checks.text("text", input.text.trim(), MAX_TEXT);
    if text.is_empty() {
        checks.fault("text", "must not be empty");
    }
    checks.finish()?;
    Ok(text)
}
