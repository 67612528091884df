//! The plain forms of access, which work without WebAssembly: signing in, passwords, invitations.
//!
//! Whoever asks for a page is led to one, whose address says what came of it; a program gets a status and a problem.

use axum::{
    Router,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    http::{StatusCode, Uri, header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use super::{accounts, rest::cookie};
use crate::{
    auth::dto::FormOutcome,
    members::server::service::{self as members, Guest},
    server::{
        AppState, CallerContext, Error, Result, context::session_cookie, extract::wants_page, origin::Origin,
    },
    shared::Problem,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in", post(sign_in))
        .route("/account/password", post(change_password))
        .route("/forgot", post(forgot))
        .route("/reset/{token}", post(reset))
        .route("/invitation/{token}", post(accept))
}

/// To the sign-in, and from there back to the page that was asked for.
pub fn to_sign_in(uri: &Uri) -> Response {
    match uri.path_and_query().map(|path| path.as_str()) {
        Some(path) if path != "/" => {
            Redirect::to(&format!("/sign-in?{}", query(&[("next", path)]))).into_response()
        }
        _ => Redirect::to("/sign-in").into_response(),
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What an address has no place for as it is, beside what is no ASCII.
const UNFIT: &AsciiSet = &CONTROLS.add(b' ');

/// A page of ours, never another site's: what browsers take for a host is refused. It can stand in a header.
pub fn own_page(next: Option<&str>) -> String {
    let own = next.filter(|next| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains(|c: char| c == '\\' || c.is_control())
            && !next.starts_with("/sign-in")
    });
    utf8_percent_encode(own.unwrap_or("/"), UNFIT).to_string()
}

/// The cookie in which a form that was refused gets back what was typed into it: for its page alone, and not for long.
const TYPED: &str = "typed";
/// How long it is kept, in seconds: the page is asked for at once.
const TYPED_FOR: u32 = 60;
/// What is longer is typed anew. Unit: bytes.
const MAX_TYPED: usize = 1000;

/// What was typed into the form of the page that is being rendered, before it was refused.
pub fn typed() -> Option<String> {
    let parts = leptos::prelude::use_context::<Parts>()?;
    let jar = CookieJar::from_headers(&parts.headers);
    Some(jar.get(TYPED)?.value().to_owned())
}

/// What every form needs beside its fields.
struct Sender {
    origin: Origin,
    session: Option<String>,
    wants_page: bool,
    is_secure: bool,
}

impl FromRequestParts<AppState> for Sender {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        Ok(Self {
            origin: Origin::of(app, parts),
            session: session_cookie(app, parts),
            wants_page: wants_page(&parts.headers),
            is_secure: app.config.secure_cookies(),
        })
    }
}

impl Sender {
    /// `page` is where the form stands; what its address says is one word. `typed` is what need not be typed again there:
    /// never a password.
    fn answer(&self, result: Result<Response>, page: &str, typed: &str) -> Response {
        match result {
            Ok(response) => response,
            Err(Error::Problem(problem)) if self.wants_page => {
                let separator = if page.contains('?') { '&' } else { '?' };
                let word = outcome(&problem).as_str();
                let led = Redirect::to(&format!("{page}{separator}{}", query(&[("error", word)])));
                self.keep(led.into_response(), page, typed)
            }
            Err(error) => error.into_response(),
        }
    }

    /// Not in the address, which histories and logs keep.
    fn keep(&self, mut response: Response, page: &str, typed: &str) -> Response {
        if typed.is_empty() || typed.len() > MAX_TYPED {
            return response;
        }
        let path = page.split('?').next().unwrap_or(page);
        let cookie = Cookie::build((TYPED, typed.to_owned()))
            .path(path.to_owned())
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.is_secure)
            .build();
        if let Ok(header) = format!("{}; Max-Age={TYPED_FOR}", cookie.encoded()).parse() {
            response.headers_mut().append(SET_COOKIE, header);
        }
        response
    }

    fn done(&self, page: &str) -> Response {
        if self.wants_page {
            Redirect::to(page).into_response()
        } else {
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn outcome(problem: &Problem) -> FormOutcome {
    let field = problem.errors.first().map(|error| (error.field.as_str(), error.message.as_str()));
    match (problem.status, field) {
        (401, _) => FormOutcome::Wrong,
        (403, Some(("new_password", _))) => FormOutcome::ByProvider,
        (403, _) => FormOutcome::SomebodyElse,
        (404, _) => FormOutcome::Used,
        (429, _) => FormOutcome::Busy,
        (400, _) => FormOutcome::NoMail,
        (422, Some(("current_password", _))) => FormOutcome::Wrong,
        (422, Some(("password" | "new_password", message))) if message.contains("characters") => {
            FormOutcome::Short
        }
        (422, Some(("password" | "new_password", _))) => FormOutcome::Weak,
        (422, Some(("repeated_password", _))) => FormOutcome::Differs,
        _ => FormOutcome::Invalid,
    }
}

/// A form's fields. What is missing is empty.
struct Form<T>(T);

impl<T: DeserializeOwned> FromRequest<AppState> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let form = axum::Form::<T>::from_request(request, app).await;
        let axum::Form(fields) = form.map_err(|rejection| match rejection.status().as_u16() {
            status @ (413 | 415) => Problem::new(status, rejection.body_text()),
            _ => Problem::invalid_field("body", "must be the form's fields"),
        })?;
        Ok(Self(fields))
    }
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: Option<String>,
}

async fn sign_in(
    State(app): State<AppState>,
    sender: Sender,
    jar: CookieJar,
    Form(form): Form<SignInForm>,
) -> Response {
    let next = own_page(form.next.as_deref());
    let before = sender.session.as_deref();
    let result = accounts::sign_in(&app, &sender.origin, &form.email, &form.password, before).await;
    let page =
        if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?{}", query(&[("next", &next)])) };
    let result = result.map(|session| {
        (jar.add(cookie(&app, session.expose_secret().to_owned())), sender.done(&next)).into_response()
    });
    sender.answer(result, &page, &form.email)
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current_password: SecretString,
    new_password: SecretString,
    #[serde(default)]
    repeated_password: Option<SecretString>,
}

/// People type it twice, since they do not see it.
fn check_repeated(new: &SecretString, repeated: Option<&SecretString>) -> Result<(), Problem> {
    match repeated {
        Some(repeated) if repeated.expose_secret() != new.expose_secret() => {
            Err(Problem::invalid_field("repeated_password", "is not the same"))
        }
        _ => Ok(()),
    }
}

async fn change_password(
    ctx: CallerContext,
    sender: Sender,
    jar: CookieJar,
    Form(form): Form<PasswordForm>,
) -> Response {
    let result = async {
        check_repeated(&form.new_password, form.repeated_password.as_ref())?;
        let session = sender.session.as_deref();
        let renewed =
            accounts::change_password(&ctx, session, &form.current_password, &form.new_password).await?;
        let done = sender.done("/account?done=password");
        Ok(match renewed {
            // The person's other tabs have the same cookie, and go on with it.
            Some(session) => {
                (jar.add(cookie(&ctx.app, session.expose_secret().to_owned())), done).into_response()
            }
            None => done,
        })
    };
    sender.answer(result.await, "/account", "")
}

#[derive(Deserialize)]
struct ForgotForm {
    email: String,
}

async fn forgot(State(app): State<AppState>, sender: Sender, Form(form): Form<ForgotForm>) -> Response {
    let result = accounts::forgot(&app, &sender.origin, &form.email).await;
    sender.answer(result.map(|()| sender.done("/forgot?done=mailed")), "/forgot", &form.email)
}

async fn reset(
    State(app): State<AppState>,
    Path(token): Path<String>,
    sender: Sender,
    Form(form): Form<PasswordForm>,
) -> Response {
    let result = async {
        check_repeated(&form.new_password, form.repeated_password.as_ref())?;
        accounts::reset(&app, &sender.origin, &token, &form.new_password).await?;
        Ok(sender.done("/sign-in?done=password"))
    };
    sender.answer(result.await, &format!("/reset/{}", path_segment(&token)), "")
}

#[derive(Deserialize)]
struct AcceptForm {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    password: SecretString,
}

async fn accept(
    State(app): State<AppState>,
    Path(token): Path<String>,
    sender: Sender,
    jar: CookieJar,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let caller = CallerContext::authenticate(&app, &parts).await.ok();
    let mut typed = String::new();
    let result = async {
        let Form(form) = Form::<AcceptForm>::from_request(Request::from_parts(parts, body), &app).await?;
        typed.clone_from(&form.display_name);
        let guest = match &caller {
            Some(caller) => Guest::SignedIn(&caller.actor),
            None => Guest::Password {
                name: &form.display_name,
                password: &form.password,
                before: sender.session.as_deref(),
            },
        };
        let session = members::accept(&app, &sender.origin, &token, guest).await?;
        let done = sender.done("/");
        Ok(match session {
            Some(session) => {
                (jar.add(cookie(&app, session.expose_secret().to_owned())), done).into_response()
            }
            None => done,
        })
    };
    let result = result.await;
    sender.answer(result, &format!("/invitation/{}", path_segment(&token)), &typed)
}

/// A link of ours is letters and digits; whatever else came does not go back into an address.
fn path_segment(token: &str) -> String {
    token.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for own in ["/", "/t/acme/messages?q=a%20%C3%BC&x=#y", "/account", "/%2Fevil.example"] {
            assert_eq!(own_page(Some(own)), own);
        }
        // It stands in a header.
        assert_eq!(own_page(Some("/t/acme/messages?q=a \u{fc}")), "/t/acme/messages?q=a%20%C3%BC");
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\u{1}a",
            "/a\0",
            "/a\u{7f}",
            "/a\u{85}",
            "javascript:alert(1)",
            "/sign-in",
            "evil",
        ] {
            assert_eq!(own_page(Some(foreign)), "/", "{foreign}");
        }
        assert_eq!(own_page(None), "/");
    }
}
