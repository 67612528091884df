//! `GET /sign-in/oidc` and `GET /sign-in/oidc/callback`: to the OpenID provider and back.

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;

use super::{
    forms::own_page,
    oidc::{self, Browser, CALLBACK},
    rest,
};
use crate::{
    auth::dto::FormOutcome,
    server::{AppState, Result, context::session_cookie, extract::Query, origin::Origin},
};

/// A page's address that is longer is not gone back to: bytes.
const MAX_NEXT: usize = 1000;

pub fn routes() -> Router<AppState> {
    Router::new().route("/sign-in/oidc", get(begin)).route(CALLBACK, get(finish))
}

/// Binds a sign-in to this browser. `Lax`, since the provider's answer is a navigation from another site; it goes
/// with the browser, and the server forgets the attempt before that.
fn attempt_cookie(app: &AppState, value: String) -> Cookie<'static> {
    let secure = app.config.secure_cookies();
    Cookie::build((cookie_name(app), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build()
}

fn cookie_name(app: &AppState) -> &'static str {
    if app.config.secure_cookies() { "__Host-flowengine_oidc" } else { "flowengine_oidc" }
}

/// `next` is the page of ours that the person wants. It travels in the cookie and not by the provider, whom it does not
/// concern: it may be an invitation's link.
async fn begin(State(app): State<AppState>, jar: CookieJar, query: Query) -> Result<Response> {
    Ok(match oidc::begin(&app).await? {
        Ok(attempt) => {
            let next = own_page(query.get("next").filter(|next| next.len() <= MAX_NEXT));
            let next = BASE64_URL_SAFE_NO_PAD.encode(next);
            let cookie = attempt_cookie(&app, format!("{}.{next}", attempt.browser.expose_secret()));
            (jar.add(cookie), Redirect::to(&attempt.location)).into_response()
        }
        Err(outcome) => refusal(outcome).into_response(),
    })
}

async fn finish(
    State(app): State<AppState>,
    jar: CookieJar,
    query: Query,
    request: Request,
) -> Result<Response> {
    let (parts, _) = request.into_parts();
    let cookie = jar.get(cookie_name(&app)).and_then(|cookie| cookie.value().split_once('.'));
    let next = cookie
        .and_then(|(_, next)| BASE64_URL_SAFE_NO_PAD.decode(next).ok())
        .and_then(|next| String::from_utf8(next).ok());
    // Checked again: the cookie comes from outside.
    let next = own_page(next.as_deref());
    let session = session_cookie(&app, &parts);
    let browser =
        Browser { attempt: cookie.map(|(token, _)| token), session: session.as_deref(), next: &next };
    let answer = oidc::Answer {
        state: query.get("state"),
        code: query.get("code"),
        error: query.get("error"),
        issuer: query.get("iss"),
    };
    Ok(match oidc::finish(&app, &Origin::of(&app, &parts), &browser, answer).await? {
        Ok(session) => {
            let jar = jar
                .remove(attempt_cookie(&app, String::new()))
                .add(rest::cookie(&app, session.expose_secret().to_owned()));
            (jar, Redirect::to(&next)).into_response()
        }
        Err(outcome) => refusal(outcome).into_response(),
    })
}

fn refusal(outcome: FormOutcome) -> Redirect {
    Redirect::to(&format!("/sign-in?error={outcome}"))
}
