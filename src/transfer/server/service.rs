//! Export and import.

use serde_json::json;

use super::{
    ahead,
    apply::Import,
    check, current,
    document::{self, Document},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    classifier::server::service as classifier,
    datasources::server::config_service as configs,
    intents::server::versions,
    server::{Result, TenantContext},
    shared::Problem,
    transfer::dto::{Action, Change, Format, Kind, MAX_DOCUMENT, Overview, Plan, Summary},
};

/// So many things stand in the audit log's entry; the summary counts them all.
const MAX_TOLD: usize = 500;

/// What an import is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Delete what the document does not have.
    pub delete: bool,
    /// Only if the configuration is still at this revision of a plan.
    pub revision: Option<String>,
}

/// The tenant's configuration as a document. An editor can read all that stands in it elsewhere too, secrets masked;
/// a viewer can not: a webhook's address may have a key in its path.
///
/// # Errors
/// 403; 400 where it is more than an import takes in, with the examples, if they are asked for.
pub async fn export(ctx: &TenantContext, format: Format, with_examples: bool) -> Result<String> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    versions::hold(&mut tx).await?;
    let current = current::read(&mut tx).await?;
    let mut document = current.document();
    if with_examples {
        let examples = classifier::written_examples(&mut tx, MAX_DOCUMENT).await?;
        for entry in document.intents.iter_mut().flatten() {
            let id = current.intents.get(&entry.name).map(|intent| intent.intent_id);
            let mine = examples.iter().filter(|(intent, _)| Some(*intent) == id);
            entry.examples = Some(mine.map(|(_, text)| text.clone()).collect());
        }
    }
    tx.commit().await?;
    written(&document, format)
}

/// What is written is taken in again.
fn written(document: &Document, format: Format) -> Result<String> {
    check::size(document).map_err(|problem| {
        let faults = problem.errors.iter().map(|error| format!("{} {}", error.field, error.message));
        let faults = faults.collect::<Vec<_>>().join(", ");
        Problem::business_rule(format!("The document has more than an import takes in: {faults}"))
    })?;
    let text = document::print(document, format)?;
    if text.len() > MAX_DOCUMENT {
        let sentence = format!(
            "The document has {} bytes, which is more than an import takes in ({MAX_DOCUMENT})",
            text.len()
        );
        return Err(Problem::business_rule(sentence).into());
    }
    Ok(text)
}

/// Makes the configuration what the document says, all of it or nothing, or says what that would do.
///
/// # Errors
/// 403; 412 where the configuration is no longer at the revision; what the services of the parts say, with the place in
/// the document.
pub async fn import(ctx: &TenantContext, document: Document, options: &Options) -> Result<Plan> {
    ctx.require(Permission::Configure)?;
    let (document, intents) = check::intents(ctx, document).await?;
    let looked = ahead::look(ctx, &document).await?;
    let mut tx = ctx.begin().await?;
    let begun = versions::begin(&mut tx).await?;
    if !options.dry_run {
        current::keep(&mut tx).await?;
    }
    let current = current::read(&mut tx).await?;
    let revision = current.revision()?;
    if options.revision.as_ref().is_some_and(|expected| *expected != revision) {
        return Err(Problem::new(
            412,
            "The configuration was changed since the plan was made. Make a plan again, and look at it",
        )
        .into());
    }
    let document = check::checked(ctx, document, intents, &current, options.delete)?;
    let import = Import::new(ctx, tx, begun, current, looked, options.delete);
    let (mut tx, changes, before) = import.run(&document).await?;
    let summary = Summary::of(&changes);
    let applied = !options.dry_run && !summary.is_same();
    // Otherwise the transaction ends here, and all that it did with it.
    if applied {
        ctx.audit(&mut tx, told(&changes, summary, options, &revision)).await?;
        tx.commit().await?;
        let is_config = |change: &&Change| change.kind == Kind::Config && change.action != Action::Same;
        for config in changes.iter().filter(is_config) {
            if let Some(row) = before.configs.get(&config.name) {
                configs::forget(ctx, row);
            }
        }
        if changes.iter().any(|change| matches!(change.kind, Kind::Examples | Kind::Intent)) {
            ctx.app.training_bell.notify_one();
        }
    }
    Ok(Plan { changes, summary, applied, revision })
}

/// One entry for all of it: what was done to which things. What each was before stands in their versions.
fn told(changes: &[Change], summary: Summary, options: &Options, revision: &str) -> Event {
    let differ = changes.iter().filter(|change| change.action != Action::Same);
    let done: Vec<String> = differ
        .take(MAX_TOLD)
        .map(|change| format!("{} {} {}", change.action, change.kind, change.name))
        .collect();
    // These have no versions to look up: what they were stands here, all of it.
    let details: Vec<&Change> = changes
        .iter()
        .filter(|change| change.action != Action::Same)
        .filter(|change| {
            matches!(change.kind, Kind::Config | Kind::Datasource | Kind::Route | Kind::Classifier)
        })
        .collect();
    Event::done(
        "configuration.import",
        revision,
        json!({"summary": summary, "delete": options.delete, "done": done, "details": details}),
    )
}

/// What an export would hold.
///
/// # Errors
/// 403.
pub async fn overview(ctx: &TenantContext) -> Result<Overview> {
    ctx.require(Permission::Configure)?;
    let current = current::read(&mut ctx.begin().await?).await?;
    Ok(Overview {
        intents: current.intents.len(),
        rules: current.rules.values().map(Vec::len).sum(),
        datasources: current.datasources.len(),
        configs: current.configs.len(),
        routes: current.routes.len(),
    })
}
