//! Server functions of members.

use leptos::prelude::*;

use super::dto::InvitationShown;
use crate::shared::Problem;
#[cfg(feature = "ssr")]
use crate::{
    members::server::service,
    server::{AppState, context::wire},
};

/// What an invitation says, to whoever holds its link. Needs no session.
#[server(name = GetInvitation, prefix = "/ui", endpoint = "invitation")]
pub async fn get_invitation(token: String) -> Result<InvitationShown, Problem> {
    let app = use_context::<AppState>().ok_or_else(|| Problem::new(500, "Something went wrong here"))?;
    wire(service::shown(&app, &token).await)
}
