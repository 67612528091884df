//! Who is calling, for which tenant, with what authority: one context, for REST and server functions alike.

use axum::{
    extract::{FromRequestParts, Query},
    http::{HeaderMap, header, request::Parts},
};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::{
    AppState, Error, Result, TenantRead, TenantTx,
    aside::{self, Turn},
    changes,
    database::InstanceTx,
    edge::observe::About,
    extract::wants_page,
    origin::Origin,
};
use crate::{
    audit::{
        dto::ActorKind,
        server::service::{self as audit, Event},
    },
    auth::{
        authority::Permission,
        dto::Role,
        server::{jwt, service as auth},
    },
    shared::{KeyId, Problem, TenantId, UserId, live::UNATTENDED},
    tenants::server::service as tenants,
    ui::theme::{COOKIE, Theme},
};

/// Who acts.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A signed-in person.
    User { user_id: UserId, email: String, display_name: String, is_instance_admin: bool },
    /// A program with a key of one tenant; `is_open` says whether that was active when the key was looked up.
    TenantKey { tenant: TenantId, is_open: bool, key_id: KeyId, name: String, role: Role },
    /// A program with a key of the installation.
    InstanceKey { key_id: KeyId, name: String },
    /// A program with a token of the installation's issuer.
    Token { tenant: TenantId, subject: String, role: Role },
    /// The server itself: command line, demo, workers.
    System,
}

impl Actor {
    /// Whether it may manage tenants, and act in each as an administrator.
    pub fn is_instance_admin(&self) -> bool {
        match self {
            Self::User { is_instance_admin, .. } => *is_instance_admin,
            Self::TenantKey { .. } | Self::Token { .. } => false,
            Self::InstanceKey { .. } | Self::System => true,
        }
    }

    /// One word for what it is, as the audit log has it.
    pub fn kind(&self) -> ActorKind {
        match self {
            Self::User { .. } => ActorKind::User,
            Self::TenantKey { .. } | Self::InstanceKey { .. } => ActorKind::Key,
            Self::Token { .. } => ActorKind::Token,
            Self::System => ActorKind::System,
        }
    }

    /// The same for the same caller, and for no other.
    pub fn identity(&self) -> String {
        match self {
            Self::User { user_id, .. } => Self::identity_of_user(*user_id),
            Self::TenantKey { key_id, .. } => Self::identity_of_key(*key_id),
            Self::InstanceKey { key_id, .. } => Self::identity_of_instance_key(*key_id),
            // The issuer may give one program several roles: what one of them was answered is not the other's.
            Self::Token { tenant, subject, role } => format!("token {tenant} {role} {subject}"),
            Self::System => "system".into(),
        }
    }

    /// What a person is called as the maker of something. The SQL that tells their words from those of programs spells it too.
    pub fn identity_of_user(user: UserId) -> String {
        format!("user {user}")
    }

    /// What a key of a tenant is called as the maker of something. The SQL that follows what keys made spells it too.
    pub fn identity_of_key(key: KeyId) -> String {
        format!("key {key}")
    }

    /// What a key of the installation is called as the maker of something.
    pub fn identity_of_instance_key(key: KeyId) -> String {
        format!("instance key {key}")
    }

    /// As it stands beside what it did.
    pub fn label(&self) -> String {
        match self {
            Self::User { display_name, email, .. } => format!("{display_name} <{email}>"),
            Self::TenantKey { name, .. } | Self::InstanceKey { name, .. } => format!("API key {name}"),
            Self::Token { subject, .. } => format!("token of {subject}"),
            Self::System => "FlowEngine".into(),
        }
    }
}

/// A caller that is known, before any tenant.
#[derive(Clone)]
pub struct CallerContext {
    pub app: AppState,
    pub actor: Actor,
    pub origin: Origin,
    about: About,
}

/// Who calls, or that nobody is known to: found out once a request, and kept with it.
#[derive(Clone)]
pub struct Authenticated(pub Option<CallerContext>);

/// A caller within a tenant, its role established. The only way to a `TenantTx` for a request.
#[derive(Clone)]
pub struct TenantContext {
    pub app: AppState,
    pub actor: Actor,
    pub origin: Origin,
    pub tenant: TenantId,
    role: Role,
}

impl CallerContext {
    pub fn system(app: AppState) -> Self {
        Self { app, actor: Actor::System, origin: Origin::default(), about: About::default() }
    }

    /// # Errors
    /// 401 where neither key, token nor session holds; 503 where the issuer of a token cannot be asked for its keys.
    pub async fn authenticate(app: &AppState, parts: &Parts) -> Result<Self> {
        if let Some(Authenticated(known)) = parts.extensions.get() {
            return known.clone().ok_or_else(|| Problem::unauthorized().into());
        }
        let actor = match bearer(&parts.headers) {
            Some(key) => match auth::actor_of_key(app, key).await? {
                Some(actor) => Some(actor),
                None => jwt::actor_of_token(app, key).await?,
            },
            None => match session_cookie(app, parts) {
                Some(token) => auth::actor_of_session(app, &token, is_attended(parts)).await?,
                None => None,
            },
        };
        let actor = actor.ok_or_else(Problem::unauthorized)?;
        let about = parts.extensions.get::<About>().cloned().unwrap_or_default();
        Ok(Self { app: app.clone(), actor, origin: Origin::of(app, parts), about })
    }

    /// # Errors
    /// 403 for anyone but an instance administrator.
    pub fn require_instance_admin(&self) -> Result<()> {
        if self.actor.is_instance_admin() {
            Ok(())
        } else {
            Err(Problem::forbidden("Only an administrator of the installation may do this").into())
        }
    }

    /// Keeps who did this to the installation, in the transaction of the change.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit(&self, tx: &mut InstanceTx, event: Event) -> Result<()> {
        audit::record_instance(tx, &self.actor, &self.origin, event).await
    }

    /// Steps into a tenant.
    ///
    /// # Errors
    /// 404 where the caller has no part in it, whether it exists or not; 403 where it is inactive.
    pub async fn in_tenant(&self, tenant: &TenantId) -> Result<TenantContext> {
        let role = match &self.actor {
            actor if actor.is_instance_admin() => Some(Role::Admin),
            Actor::TenantKey { tenant: own, role, .. } | Actor::Token { tenant: own, role, .. } => {
                (own == tenant).then_some(*role)
            }
            Actor::User { user_id, .. } => auth::role_of(&self.app, *user_id, tenant).await?,
            Actor::InstanceKey { .. } | Actor::System => None,
        };
        let not_found = || Problem::not_found("Tenant", tenant);
        let role = role.ok_or_else(not_found)?;
        let is_active = match &self.actor {
            // Found out with the key, in the same statement.
            Actor::TenantKey { is_open, .. } => Some(*is_open),
            _ => tenants::is_active(&self.app, tenant).await?,
        };
        match is_active {
            None => Err(not_found().into()),
            Some(false) if !self.actor.is_instance_admin() => {
                Err(Problem::forbidden(format!("Tenant {tenant} is inactive")).into())
            }
            Some(_) => {
                self.about.note(tenant);
                Ok(TenantContext {
                    app: self.app.clone(),
                    actor: self.actor.clone(),
                    origin: self.origin.clone(),
                    tenant: tenant.clone(),
                    role,
                })
            }
        }
    }
}

impl TenantContext {
    /// # Errors
    /// 403 where the caller's role is too low.
    pub fn require(&self, permission: Permission) -> Result<()> {
        let needed = permission.role();
        if self.role.may(permission) {
            Ok(())
        } else {
            Err(Problem::forbidden(format!("This needs the role {needed}; yours is {}", self.role)).into())
        }
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// # Errors
    /// The database's.
    pub async fn begin(&self) -> Result<TenantTx> {
        Ok(self.app.database.tenant(&self.tenant).await?)
    }

    /// As `begin`, once it is the tenant's turn at what takes a connection for long: many at once would take every one, and
    /// others wait for those.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_in_turn(&self, what: Turn) -> Result<TenantTx> {
        let turn = aside::turn_of(&self.tenant, what).await;
        Ok(self.begin().await?.keeping(turn))
    }

    /// For one statement that reads.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(&self) -> Result<TenantRead> {
        Ok(self.app.database.tenant_read(&self.tenant).await?)
    }

    /// Keeps who did this in the tenant, in the transaction of the change.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit(&self, tx: &mut TenantTx, event: Event) -> Result<()> {
        audit::record(tx, &self.actor, &self.origin, event).await
    }
}

/// The key or token that a request carries (RFC 6750, section 2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a person may be behind the request. A page that is left open asks by itself when something changed: that
/// keeps no session alive.
fn is_attended(parts: &Parts) -> bool {
    parts.uri.path() != changes::PATH && !parts.headers.contains_key(UNATTENDED)
}

/// The session cookie's name. Behind TLS the prefix binds it to this host (RFC 6265bis, section 4.1.3.2).
pub fn session_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-flowengine_session" } else { "flowengine_session" }
}

/// The token that the request's session cookie carries.
pub fn session_cookie(app: &AppState, parts: &Parts) -> Option<String> {
    let jar = CookieJar::from_headers(&parts.headers);
    jar.get(session_cookie_name(app.config.secure_cookies())).map(|cookie| cookie.value().to_owned())
}

impl FromRequestParts<AppState> for CallerContext {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        Self::authenticate(app, parts).await
    }
}

#[derive(Deserialize)]
struct TenantParameter {
    tenant_id: Option<String>,
}

impl FromRequestParts<AppState> for TenantContext {
    type Rejection = Error;

    /// The tenant is the query parameter `tenant_id`, and is never trusted alone.
    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let caller = CallerContext::authenticate(app, parts).await?;
        let tenant = Query::<TenantParameter>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::invalid_field("tenant_id", "stands twice"))?
            .0
            .tenant_id
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Problem::invalid_field("tenant_id", "is missing from the query"))?
            .parse::<TenantId>()
            .map_err(|error| Problem::invalid_field("tenant_id", error.to_string()))?;
        caller.in_tenant(&tenant).await
    }
}

/// The state that a server function works with.
///
/// # Errors
/// Where it is called outside of a request.
pub fn state() -> Result<AppState> {
    leptos::prelude::use_context::<AppState>()
        .ok_or_else(|| Error::internal("no state in the server function's context"))
}

/// The caller of a server function.
///
/// # Errors
/// As `CallerContext::authenticate`, with the answer's status set.
pub async fn caller_context() -> Result<CallerContext, Problem> {
    wire(context_of_request().await)
}

async fn context_of_request() -> Result<CallerContext> {
    let app = state()?;
    let parts = leptos::prelude::use_context::<Parts>()
        .ok_or_else(|| Error::internal("no request in the server function's context"))?;
    CallerContext::authenticate(&app, &parts).await
}

/// The caller of a server function that is for everybody: `None` where nobody is signed in.
///
/// # Errors
/// An internal error, with the answer's status set.
pub async fn caller_context_if_any() -> Result<Option<CallerContext>, Problem> {
    match context_of_request().await {
        Ok(ctx) => Ok(Some(ctx)),
        Err(Error::Problem(problem)) if problem.status == 401 => Ok(None),
        Err(error) => wire(Err(error)),
    }
}

/// The caller of a server function, within the tenant that is its argument.
///
/// # Errors
/// As `CallerContext::in_tenant`, with the answer's status set.
pub async fn tenant_context(tenant: &TenantId) -> Result<TenantContext, Problem> {
    let caller = caller_context().await?;
    wire(caller.in_tenant(tenant).await)
}

/// A service's result as a server function's, with the HTTP status of its problem.
///
/// # Errors
/// The problem; an internal error leaves its cause in the log.
pub fn wire<T>(result: Result<T>) -> Result<T, Problem> {
    result.map_err(|error| {
        let problem = error.into_problem();
        set_page_status(problem.status);
        problem
    })
}

/// Leads the browser on after a plain form: a screen that runs does so itself, and says what was done.
pub fn lead_to(path: &str) {
    let is_plain = leptos::prelude::use_context::<Parts>().is_some_and(|parts| wants_page(&parts.headers));
    if is_plain {
        leptos_axum::redirect(path);
    }
}

/// The theme that the reader of the page that is being rendered chose, by their cookie.
pub fn chosen_theme() -> Theme {
    leptos::prelude::use_context::<Parts>()
        .and_then(|parts| CookieJar::from_headers(&parts.headers).get(COOKIE).map(|c| Theme::read(c.value())))
        .unwrap_or_default()
}

/// Sets the HTTP status of the page that is being rendered, or of the server function that answers.
pub fn set_page_status(status: u16) {
    if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = axum::http::StatusCode::from_u16(status)
    {
        response.set_status(status);
    }
}
