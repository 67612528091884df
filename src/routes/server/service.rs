//! Business rules of routes. Signing secrets and header values go in, encrypted, and are shown once or never.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    repository::{self, Row},
    secret::SigningSecret,
    settings::{Reply, Settings},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::dto::MASK,
    deliveries::server::under_way as deliveries,
    emails::server::address::with_ascii_domain,
    intents::{
        dto::{Intent, is_field},
        server::reading as intents,
    },
    routes::dto::{Route, RouteInput, RouteKind, RouteView, RouteWithSecret},
    server::{
        AppState, Error, Result, TenantContext, TenantTx,
        error::{OnConstraint, invalid_reference},
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
        vault::Place,
    },
    shared::{IntentId, Problem, RouteId, validate::Checks},
};

impl Versioned for Route {}

/// How long a secret that was replaced signs beside the new one.
const OVERLAP: Duration = Duration::from_secs(24 * 3_600);
/// What one tenant may have: each message is held against them all.
const MAX_ROUTES: usize = 500;
/// How much that is under way for a route is called off together with its deletion, for which its tenant's other
/// changes wait. The rest is when its turn comes: a worker finds its route gone.
const CALLED_OFF: i64 = 10_000;

/// By id.
///
/// # Errors
/// The database's.
pub async fn list(
    ctx: &TenantContext,
    intent: Option<IntentId>,
    active_only: bool,
    page: Page<i64>,
) -> Result<Vec<Route>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let rows = repository::list(&mut tx, intent, active_only, page.cursor, page.limit).await?;
    Ok(rows.into_iter().map(|row| shown(ctx, row.into_route(&tx))).collect())
}

/// The routes for messages of an intent: its own, and those for every intent.
///
/// # Errors
/// The database's.
pub async fn list_for(ctx: &TenantContext, intent: IntentId) -> Result<Vec<Route>> {
    let mut all = list(ctx, None, false, Page::first()).await?;
    all.retain(|route| route.intent_id.is_none_or(|of| of == intent));
    Ok(all)
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: RouteId) -> Result<Route> {
    Ok(view(ctx, id).await?.route)
}

/// A route as it is, with what its change must name.
///
/// # Errors
/// 404.
pub async fn view(ctx: &TenantContext, id: RouteId) -> Result<RouteView> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
    let route = row.into_route(&tx);
    Ok(RouteView { etag: route.etag(), route: shown(ctx, route) })
}

/// Some services put a key into a webhook's path. Whoever cannot change the route sees where it leads, and no more.
fn shown(ctx: &TenantContext, mut route: Route) -> Route {
    if ctx.require(Permission::Configure).is_err()
        && let Some(Value::String(url)) = route.settings.get_mut("url")
    {
        *url = masked_url(url);
    }
    route
}

fn masked_url(url: &str) -> String {
    let origin = url::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    format!("{origin}/{MASK}")
}

/// Whoever puts a route back may have it from somebody who may not see its address: masked, that stays as it is stored.
///
/// # Errors
/// 422 for what is masked and is not the stored address.
fn unmasked_url(url: String, stored: Option<&Row>) -> Result<String, Problem> {
    if !url.contains(MASK) {
        return Ok(url);
    }
    let old = stored.and_then(|row| row.settings.0.get("url")).and_then(Value::as_str);
    let kept = old.filter(|old| *old == url || masked_url(old) == url);
    let fault = "is masked, and is not the stored address: enter it whole";
    kept.map(str::to_owned).ok_or_else(|| Problem::invalid_field("settings.url", fault))
}

/// A webhook gets its signing secret, which is answered this once.
///
/// # Errors
/// 400 for an intent that is not there or mail without a relay, 403, 409 for a name that exists, 422.
pub async fn create(ctx: &TenantContext, input: RouteInput) -> Result<RouteWithSecret> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let (id, secret) = insert(ctx, &mut tx, input, Masked::IsStored).await?;
    let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
    let route = row.into_route(&tx);
    ctx.audit(&mut tx, Event::created("route.create", id, &route)).await?;
    tx.commit().await?;
    Ok(RouteWithSecret { route, secret: secret.map(|secret| secret.reveal()), old_secret_ends: None })
}

/// A header's value, or an address, that is sent back masked keeps what is stored. What is under way for the route goes
/// where the route leads then; what it is not for any more is called off. Where all is as it is stored, nothing is written.
///
/// # Errors
/// As `create`, and 404, 412; 422 too for another kind.
pub async fn replace(
    ctx: &TenantContext,
    id: RouteId,
    input: RouteInput,
    if_match: &IfMatch,
) -> Result<Route> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    let before = row.clone().into_route(&tx);
    if_match.check(&before)?;
    let Some(entered) = update(ctx, &mut tx, &row, input).await? else { return Ok(before) };
    let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
    let route = row.into_route(&tx);
    let event = Event::updated("route.update", id, &before, &route);
    ctx.audit(&mut tx, event.with_entered(&entered)).await?;
    tx.commit().await?;
    Ok(route)
}

/// What is under way for it is called off.
///
/// # Errors
/// 403, 404, 412.
pub async fn delete(ctx: &TenantContext, id: RouteId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    let before = row.into_route(&tx);
    if_match.check(&before)?;
    end(&mut tx, id).await?;
    ctx.audit(&mut tx, Event::deleted("route.delete", id, &before)).await?;
    Ok(tx.commit().await?)
}

/// All of the tenant's, by id.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut TenantTx) -> Result<Vec<Row>> {
    Ok(repository::list(tx, None, false, None, i64::MAX).await?)
}

/// Stores a route, in the place of one where it is given, as a part of a larger change. A new webhook's signing secret
/// is shown to nobody: who needs it rotates it. A new route's header whose value is masked is to be set later: until it is,
/// what the route has to send waits.
///
/// # Errors
/// As `create` and `replace`.
pub async fn put(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    id: Option<RouteId>,
    input: RouteInput,
) -> Result<RouteId> {
    let Some(id) = id else { return insert(ctx, tx, input, Masked::MayLack).await.map(|(id, _)| id) };
    let row = repository::find(tx, id, true).await?.ok_or_else(|| not_found(id))?;
    update(ctx, tx, &row, input).await?;
    Ok(id)
}

/// Deletes a route, as a part of a larger change. What is under way for it is called off.
///
/// # Errors
/// 404.
pub async fn remove(tx: &mut TenantTx, id: RouteId) -> Result<()> {
    repository::find(tx, id, true).await?.ok_or_else(|| not_found(id))?;
    end(tx, id).await
}

/// Deletes the routes of an intent that goes, and gives them as they were. What is under way for them is called off. The
/// intent is locked by then, so that it gets no more of them.
///
/// # Errors
/// The database's.
pub async fn remove_of_intent(tx: &mut TenantTx, intent: IntentId) -> Result<Vec<Route>> {
    // All of them before any delivery, as whoever decides has it: so neither waits for the other.
    let rows = repository::lock_of_intent(tx, intent).await?;
    let mut gone = Vec::with_capacity(rows.len());
    for row in rows {
        end(tx, row.route_id).await?;
        gone.push(row.into_route(tx));
    }
    Ok(gone)
}

/// Deletes a route that is locked. What is under way for it is called off.
async fn end(tx: &mut TenantTx, id: RouteId) -> Result<()> {
    deliveries::call_off_route(tx, id, Some(CALLED_OFF), "The route was deleted").await?;
    repository::delete(tx, id).await?;
    Ok(())
}

async fn insert(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    input: RouteInput,
    masked: Masked,
) -> Result<(RouteId, Option<SigningSecret>)> {
    let (input, headers) = checked(ctx, tx, input, None, masked).await?;
    let all = repository::list(tx, None, false, None, MAX_ROUTES as i64).await?;
    if all.len() >= MAX_ROUTES {
        return Err(Problem::business_rule(format!("A tenant may have at most {MAX_ROUTES} routes")).into());
    }
    let id = repository::insert(tx, &input)
        .await
        .on_constraint("uq_eivs_routes_tenant_name", || already_exists(&input))
        .on_constraint("fk_eivs_routes_intent", invalid_intent)?;
    store_headers(&ctx.app, tx, id, &headers.values).await?;
    if input.kind != RouteKind::Webhook {
        return Ok((id, None));
    }
    let secret = SigningSecret::generate();
    let sealed = ctx.app.vault.seal(tx, place(id, "secret"), secret.bytes()).await?;
    repository::set_secret(tx, id, &sealed, None).await?;
    Ok((id, Some(secret)))
}

/// Answers the members that were entered anew in the place of stored ones, and are shown to nobody; `None` where all is as
/// it is stored, and nothing was written.
async fn update(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    row: &Row,
    input: RouteInput,
) -> Result<Option<Vec<String>>> {
    let (input, headers) = checked(ctx, tx, input, Some(row), Masked::IsStored).await?;
    if headers.entered.is_empty() && says_what_is_stored(&input, &row.clone().into_route(tx)) {
        return Ok(None);
    }
    repository::update(tx, row.route_id, &input)
        .await
        .on_constraint("uq_eivs_routes_tenant_name", || already_exists(&input))
        .on_constraint("fk_eivs_routes_intent", invalid_intent)?;
    store_headers(&ctx.app, tx, row.route_id, &headers.values).await?;
    if !input.is_active {
        deliveries::call_off_route(tx, row.route_id, None, "The route was deactivated").await?;
        return Ok(Some(headers.entered));
    }
    let changed = Row { decisions: input.decisions, intent_id: input.intent_id, ..row.clone() };
    deliveries::call_off_unfit(tx, &changed).await?;
    if headers.unset.is_empty() && !unset_headers(row).is_empty() {
        deliveries::wake_for_headers(tx, row.route_id).await?;
    }
    Ok(Some(headers.entered))
}

/// Gives a webhook a new signing secret, and answers it this once. The old one signs too for a day, so that the
/// receiver can change over without losing a delivery. Where there was none, what waits for one is sent.
///
/// # Errors
/// 400 for a route that does not sign, 403, 404.
pub async fn rotate_secret(ctx: &TenantContext, id: RouteId) -> Result<RouteWithSecret> {
    ctx.require(Permission::Credentials)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    if row.kind != RouteKind::Webhook {
        return Err(Problem::business_rule("Only a webhook has a signing secret").into());
    }
    let vault = &ctx.app.vault;
    let ends = Utc::now() + OVERLAP;
    // Bound to its column, so it is opened there and sealed anew for the other.
    let old = match &row.secret {
        None => None,
        Some(sealed) => {
            let plain = vault.open(&mut tx, place(id, "secret"), sealed).await?;
            Some(vault.seal(&mut tx, place(id, "old_secret"), &plain).await?)
        }
    };
    let secret = SigningSecret::generate();
    let sealed = vault.seal(&mut tx, place(id, "secret"), secret.bytes()).await?;
    repository::set_secret(&mut tx, id, &sealed, old.as_deref().map(|old| (old, ends))).await?;
    if old.is_none() {
        deliveries::wake_for_secret(&mut tx, id).await?;
    }
    let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
    let old_secret_ends = row.old_secret_ends;
    let route = row.into_route(&tx);
    let detail = json!({"name": route.name, "old_secret_ends": old_secret_ends});
    ctx.audit(&mut tx, Event::done("route.rotate_secret", id, detail)).await?;
    tx.commit().await?;
    Ok(RouteWithSecret { route, secret: Some(secret.reveal()), old_secret_ends })
}

/// What a webhook is sent with.
pub struct Credentials {
    /// The newest first.
    pub secrets: Vec<SigningSecret>,
    pub headers: BTreeMap<String, String>,
    /// The headers whose values are still to be set.
    pub unset: Vec<String>,
}

/// # Errors
/// The vault's and the database's.
pub async fn credentials(
    app: &AppState,
    tx: &mut TenantTx,
    row: &Row,
    now: DateTime<Utc>,
) -> Result<Credentials> {
    let mut secrets = Vec::new();
    if let Some(sealed) = &row.secret {
        let plain = app.vault.open(tx, place(row.route_id, "secret"), sealed).await?;
        secrets.push(SigningSecret::from_bytes(plain));
    }
    if let Some(sealed) = &row.old_secret
        && row.old_secret_ends.is_some_and(|ends| ends > now)
    {
        let plain = app.vault.open(tx, place(row.route_id, "old_secret"), sealed).await?;
        secrets.push(SigningSecret::from_bytes(plain));
    }
    Ok(Credentials { secrets, headers: open_headers(app, tx, row).await?, unset: unset_headers(row) })
}

/// Checks that the routes of an intent still hold with its extractors of now.
///
/// # Errors
/// 422, naming the extractor that a route needs.
pub async fn check_all_of(tx: &mut TenantTx, intent: &Intent) -> Result<()> {
    for row in repository::list(tx, Some(intent.intent_id), false, None, i64::MAX).await? {
        let Ok(settings) = Settings::parse(row.kind, &row.settings.0) else { continue };
        let mut needed = settings.fields().into_iter();
        if let Some((_, name)) = needed.find(|(_, name)| !is_field(&intent.extractors, name)) {
            return Err(Problem::invalid_field(
                "extractors",
                format!("the route '{}' needs '{name}', which no extractor would give", row.name),
            )
            .into());
        }
    }
    Ok(())
}

/// What a header's masked value stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Masked {
    /// One that is stored.
    IsStored,
    /// One that is to be set later: an import comes without it. Of a new route alone: what one that is there does not have
    /// was taken from it, and it works.
    MayLack,
}

/// What a webhook's headers hold.
#[derive(Default)]
struct Headers {
    values: BTreeMap<String, String>,
    /// Those that have no value yet.
    unset: Vec<String>,
    /// The members that were entered anew in the place of stored ones. They may be the same: nobody is told whether they
    /// were guessed.
    entered: Vec<String>,
}

/// The input as it is stored, header values masked, or empty where there is none yet; and those values.
async fn checked(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    input: RouteInput,
    stored: Option<&Row>,
    masked: Masked,
) -> Result<(RouteInput, Headers)> {
    let mut input = input.validate(&ctx.tenant)?;
    if stored.is_some_and(|row| row.kind != input.kind) {
        return Err(Problem::invalid_field("kind", "cannot be changed: make another route").into());
    }
    let mut settings = Settings::parse(input.kind, &input.settings)?;
    let intent = match input.intent_id {
        None => None,
        Some(id) => {
            let found = intents::if_there(tx, id).await?;
            Some(found.ok_or_else(invalid_intent)?)
        }
    };
    let extractors = intent.as_ref().map(|intent| intent.extractors.as_slice()).unwrap_or_default();
    let mut checks = Checks::default();
    for (member, name) in settings.fields() {
        if !is_field(extractors, name) {
            checks.fault(
                member,
                format!("'{name}' is neither a field of a message nor an extractor of the route's intent"),
            );
        }
    }
    checks.finish()?;
    if matches!(input.kind, RouteKind::Forward | RouteKind::Reply) && ctx.app.config.deliveries.smtp.is_none()
    {
        return Err(Problem::business_rule(
            "This installation sends no mail: its administrator must set SMTP_URL and SMTP_FROM",
        )
        .into());
    }
    // Whoever is answered has any server, and not every one takes a mail that names such an address.
    if let Settings::Reply(Reply { reply_to: Some(address), .. }) = &settings
        && !with_ascii_domain(address).is_ascii()
        && stored.is_none_or(|row| row.settings.0.get("reply_to").and_then(Value::as_str) != Some(address))
    {
        let fault = "must be ASCII before its @: not every mail server takes a mail that names another";
        return Err(Problem::invalid_field("settings.reply_to", fault).into());
    }
    let mut headers = Headers::default();
    if let Settings::Webhook(webhook) = &mut settings {
        webhook.url = unmasked_url(std::mem::take(&mut webhook.url), stored)?;
        let url = url::Url::parse(&webhook.url).map_err(Error::internal)?;
        ctx.app
            .senders
            .fence()
            .check_literal(&url)
            .map_err(|error| Problem::invalid_field("settings.url", error.to_string()))?;
        let given = std::mem::take(&mut webhook.headers);
        headers = merge_headers(ctx, tx, &webhook.url, given, stored, masked).await?;
        let set = headers.values.keys().map(|name| (name.clone(), MASK.into()));
        let unset = headers.unset.iter().map(|name| (name.clone(), "".into()));
        let shown: Map<String, Value> = set.chain(unset).collect();
        input.settings = Map::from_iter([("url".to_owned(), webhook.url.clone().into())]);
        if !shown.is_empty() {
            input.settings.insert("headers".into(), Value::Object(shown));
        }
    }
    Ok((input, headers))
}

/// A masked value keeps what is stored, but never for another address: a value was entered for one, and sent to
/// another it could be read there. One that is still to be set stays so, masked or left empty.
async fn merge_headers(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    url: &str,
    given: BTreeMap<String, String>,
    stored: Option<&Row>,
    masked: Masked,
) -> Result<Headers> {
    let unset = stored.map(unset_headers).unwrap_or_default();
    let old = match stored {
        Some(row) => open_headers(&ctx.app, tx, row).await?,
        None => BTreeMap::new(),
    };
    let origin = |text: &str| url::Url::parse(text).ok().map(|url| url.origin());
    let old_url = stored.and_then(|row| row.settings.0.get("url")).and_then(Value::as_str);
    let moved = old_url.is_some_and(|old| origin(old) != origin(url));
    let mut checks = Checks::default();
    let mut merged = Headers::default();
    let mut is_set = false;
    for (name, value) in given {
        let at = || format!("settings.headers.{name}");
        let comes_later = value == MASK && masked == Masked::MayLack;
        let stays_unset = unset.contains(&name) && (value == MASK || value.is_empty());
        if comes_later || stays_unset {
            merged.unset.push(name);
        } else if value.is_empty() {
            checks.fault(at(), "must be entered");
        } else if value != MASK {
            if old.contains_key(&name) {
                merged.entered.push(at());
            }
            is_set = true;
            merged.values.insert(name, value);
        } else if moved {
            checks.fault(at(), "must be entered again, since the route leads to another address now");
        } else if let Some(kept) = old.get(&name) {
            merged.values.insert(name, kept.clone());
        } else {
            checks.fault(at(), "is masked, and there is no stored value to keep");
        }
    }
    checks.finish()?;
    // A key to somebody else's system is a credential; also where it is the one that is stored, or it could be guessed at.
    if is_set && !ctx.role().may(Permission::Credentials) {
        let (needed, role) = (Permission::Credentials.role(), ctx.role());
        let sentence = format!("To set or change a header's value needs the role {needed}; yours is {role}");
        return Err(Problem::forbidden(sentence).into());
    }
    Ok(merged)
}

async fn store_headers(
    app: &AppState,
    tx: &mut TenantTx,
    id: RouteId,
    headers: &BTreeMap<String, String>,
) -> Result<()> {
    let sealed = if headers.is_empty() {
        None
    } else {
        let plain = serde_json::to_vec(headers).map_err(Error::internal)?;
        Some(app.vault.seal(tx, place(id, "header_values"), &plain).await?)
    };
    Ok(repository::set_headers(tx, id, sealed.as_deref()).await?)
}

async fn open_headers(app: &AppState, tx: &mut TenantTx, row: &Row) -> Result<BTreeMap<String, String>> {
    match &row.header_values {
        None => Ok(BTreeMap::new()),
        Some(sealed) => {
            let plain = app.vault.open(tx, place(row.route_id, "header_values"), sealed).await?;
            serde_json::from_slice(&plain).map_err(Error::internal)
        }
    }
}

/// The headers of a webhook that have no value yet: it stands empty, where those that have one are masked.
fn unset_headers(row: &Row) -> Vec<String> {
    let headers = row.settings.0.get("headers").and_then(Value::as_object);
    let unset = headers.into_iter().flatten().filter(|(_, value)| value.as_str() == Some(""));
    unset.map(|(name, _)| name.clone()).collect()
}

fn place(id: RouteId, column: &'static str) -> Place<'static> {
    Place { table: "routes", row: id.0, column }
}

fn not_found(id: RouteId) -> Problem {
    Problem::not_found("Route", id)
}

/// It is not there, or was deleted while it was asked for.
fn invalid_intent() -> Problem {
    invalid_reference("intent")
}

fn already_exists(input: &RouteInput) -> Problem {
    Problem::already_exists("Route", &input.name)
}
