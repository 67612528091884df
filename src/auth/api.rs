//! Server functions of access.

use leptos::prelude::*;

use super::dto::{Me, SignInWays};
use crate::shared::{Problem, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    auth::server::{oidc, service},
    server::{
        Actor,
        context::{caller_context, caller_context_if_any, state, wire},
    },
};

/// Who is signed in, and the tenants to choose from.
#[server(name = GetMe, prefix = "/ui", endpoint = "me", protocol = Wire)]
pub async fn me() -> Result<Me, Problem> {
    let ctx = caller_context().await?;
    wire(service::me(&ctx).await)
}

/// The address of the signed-in person, if anybody is. Needs no session.
#[server(name = SignedInAs, prefix = "/ui", endpoint = "signed_in_as", protocol = Wire)]
pub async fn signed_in_as() -> Result<Option<String>, Problem> {
    match caller_context_if_any().await? {
        Some(ctx) => match ctx.actor {
            Actor::User { email, .. } => Ok(Some(email)),
            _ => Ok(None),
        },
        None => Ok(None),
    }
}

/// The ways to sign in. Anyone may ask: the sign-in page stands before everything.
#[server(name = GetSignInWays, prefix = "/ui", endpoint = "sign_in_ways", protocol = Wire)]
pub async fn sign_in_ways() -> Result<SignInWays, Problem> {
    let app = wire(state())?;
    Ok(oidc::ways(&app))
}
