//! `GET /sign-in/{token}` and `POST /sign-out`, and the session's cookie.

use axum::{
    Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use secrecy::ExposeSecret;

use super::{oidc_rest, service};
use crate::server::{
    AppState, Result,
    context::{session_cookie, session_cookie_name},
    origin::Origin,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        // A look at a link, as programs that follow mail take, is not the use of it.
        .route("/sign-in/{token}", get(sign_in).head(async || StatusCode::NO_CONTENT))
        .route("/sign-out", post(sign_out))
        .merge(oidc_rest::routes())
}

/// The session's cookie.
pub fn cookie(app: &AppState, value: String) -> Cookie<'static> {
    let secure = app.config.secure_cookies();
    Cookie::build((session_cookie_name(secure), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build()
}

async fn sign_in(
    State(app): State<AppState>,
    Path(token): Path<String>,
    jar: CookieJar,
    request: Request,
) -> Result<(CookieJar, Redirect)> {
    let (parts, _) = request.into_parts();
    let origin = Origin::of(&app, &parts);
    let before = session_cookie(&app, &parts);
    match service::sign_in_by_link(&app, &origin, &token, before.as_deref()).await? {
        Some(session) => {
            let cookie = cookie(&app, session.expose_secret().to_owned());
            Ok((jar.add(cookie), Redirect::to("/")))
        }
        None => Ok((jar, Redirect::to("/sign-in?error=used"))),
    }
}

async fn sign_out(
    State(app): State<AppState>,
    jar: CookieJar,
    request: Request,
) -> Result<(CookieJar, Redirect)> {
    let (parts, _) = request.into_parts();
    if let Some(session) = session_cookie(&app, &parts) {
        service::sign_out(&app, &session).await?;
    }
    Ok((jar.remove(cookie(&app, String::new())), Redirect::to("/sign-in")))
}
