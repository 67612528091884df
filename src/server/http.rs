//! The router, and what lies around every request.

use axum::{
    Router,
    extract::{Request, State},
    handler::Handler,
    http::{Method, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use leptos::prelude::{Owner, provide_context};
use leptos_axum::{
    LeptosRoutes, generate_route_list, render_app_async_with_context, site_pkg_dir_service_route_path,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::{
    AppState, CallerContext, changes,
    context::bearer,
    edge::{compress, cors, headers, limits, load, metrics, observe, ready, referer, site, unread},
    error::problem_response,
    idempotency,
    openapi::{
        self, Base,
        queries::{self, Queries},
    },
};
use crate::{
    app::{App, shell},
    audit, auth, backtests, classifier, dashboard, datasources, deliveries, demo, emails, files, intents,
    keys, mailboxes, members, retention, routes, rules,
    shared::Problem,
    tenants, transfer,
};

/// Every call of the REST API, with its entry in the API's document: neither is there without the other.
pub fn api(max_message_bytes: usize) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Base::openapi())
        .merge(tenants::server::rest::routes())
        .merge(intents::server::rest::routes())
        .merge(rules::server::rest::routes())
        .merge(classifier::server::rest::routes())
        .merge(datasources::server::rest::routes())
        .merge(emails::server::rest::routes(max_message_bytes))
        .merge(dashboard::server::rest::routes())
        .merge(files::server::rest::routes())
        .merge(routes::server::rest::routes())
        .merge(deliveries::server::rest::routes())
        .merge(backtests::server::rest::routes())
        .merge(retention::server::rest::routes())
        .merge(audit::server::rest::routes())
        .merge(mailboxes::server::rest::routes())
        .merge(members::server::rest::routes())
        .merge(keys::server::rest::routes())
        .merge(transfer::server::rest::routes())
}

/// Everything that this server answers.
pub fn router(app: AppState) -> Router {
    let (api, document) = api(app.config.max_message_bytes).split_for_parts();
    let known = (app.clone(), Queries::new(&document));
    let api = api
        .merge(openapi::routes(document))
        .route("/api", any(no_such_call))
        .route("/api/", any(no_such_call))
        .route("/api/{*rest}", any(no_such_call))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::layer))
        .layer(middleware::from_fn_with_state(known, queries::refuse_unknown));

    let context = {
        let app = app.clone();
        move || {
            provide_context(app.clone());
            headers::set_page_policy(&app);
        }
    };
    let document = {
        let options = app.leptos.clone();
        move || shell(options.clone())
    };
    let pages = Router::new()
        .leptos_routes_with_context(&app, generate_route_list(App), context.clone(), document.clone())
        .layer(middleware::from_fn(by_itself))
        .layer(middleware::from_fn(load::refuse_large))
        .layer(middleware::from_fn(referer::own_only))
        .merge(transfer::server::form::routes())
        .layer(middleware::from_fn_with_state(app.clone(), require_session))
        .layer(middleware::from_fn(compress::allow))
        .layer(compress::layer());

    // Not Leptos' own, which gives whatever file lies below the site's root.
    let page = render_app_async_with_context(context, document);
    let not_found = move |request: Request| {
        let page = page(request);
        async move {
            let mut page = page.await;
            if page.status() == StatusCode::OK {
                *page.status_mut() = StatusCode::NOT_FOUND;
            }
            page
        }
    };
    let public = site::PUBLIC
        .iter()
        .fold(Router::<AppState>::new(), |public, path| public.route(path, get(site::show_public)));
    let all = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready::show))
        .route("/metrics", get(metrics::show))
        .route(&site_pkg_dir_service_route_path(&app.leptos), get(site::show))
        .merge(public)
        .merge(auth::server::rest::routes())
        .merge(auth::server::forms::routes())
        .merge(demo::api::routes())
        .merge(changes::routes())
        .merge(api)
        .merge(pages)
        .fallback(not_found.layer(middleware::from_fn(by_itself)))
        .method_not_allowed_fallback(async || {
            problem_response(Problem::new(405, "This address does not take this method"))
        })
        .layer(middleware::from_fn(without_slash));
    around(all, &app).with_state(app)
}

/// The address of a tenant's page with a slash at its end leads to the page. Only such: another may begin with two slashes.
async fn without_slash(request: Request, next: Next) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query());
    let page = path.trim_end_matches('/');
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_safe || page == path || !page.starts_with("/t/") {
        return next.run(request).await;
    }
    let to = query.map_or_else(|| page.to_owned(), |query| format!("{page}?{query}"));
    Redirect::permanent(&to).into_response()
}

/// What lies around every request, from the innermost to the outermost.
pub fn around(routes: Router<AppState>, app: &AppState) -> Router<AppState> {
    routes
        .layer(middleware::from_fn_with_state(app.clone(), limits::limit))
        .layer(middleware::from_fn(refuse_cross_site))
        .layer(middleware::from_fn_with_state(app.clone(), load::hurry))
        .layer(CatchPanicLayer::custom(load::panicked))
        .layer(middleware::from_fn_with_state(app.clone(), load::shed))
        // Around all that refuses, so that another site's page can read the refusal.
        .layer(middleware::from_fn_with_state(cors::Cors::new(&app.config), cors::allow))
        .layer(middleware::from_fn_with_state(headers::SecurityHeaders::new(&app.config), headers::add))
        .layer(middleware::from_fn_with_state(app.clone(), observe::observe))
        .layer(middleware::from_fn(observe::identify))
        .layer(middleware::from_fn_with_state(app.clone(), let_go))
}

/// A server that stops keeps no connection for the next request: whoever holds one asks another server from now on, and
/// meets none that is closed under it.
async fn let_go(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let version = request.version();
    let mut response = next.run(request).await;
    if app.stop.is_cancelled() {
        unread::end_after(&mut response, version);
    }
    response
}

/// Leptos leaves the owner of a page that is being written behind on the thread where that began. What goes on there next
/// would be a part of that page: a file took its headers along, and the page came without its policy, and ran nothing.
async fn by_itself(request: Request, next: Next) -> Response {
    let mut answer = std::pin::pin!(next.run(request));
    std::future::poll_fn(|context| {
        if let Some(owner) = Owner::current() {
            owner.unset();
        }
        answer.as_mut().poll(context)
    })
    .await
}

async fn no_such_call() -> Response {
    problem_response(Problem::new(404, "There is no such call. GET /api/openapi.json lists all there are"))
}

/// A page without a session leads to the sign-in. Server functions answer for themselves.
async fn require_session(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if auth::server::is_open(path) || path.starts_with("/ui/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match CallerContext::authenticate(&app, &parts).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => {
            let problem = error.into_problem();
            if problem.status == 401 {
                auth::server::forms::to_sign_in(&parts.uri)
            } else {
                problem_response(problem)
            }
        }
    }
}

/// What a cookie authorises must come from our own pages (OWASP, CSRF prevention: Fetch Metadata, with Origin as
/// the fallback). A request with a key of its own needs no such proof; neither does a program, which sends
/// neither header and no cookie that it did not mean to.
async fn refuse_cross_site(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    if safe || bearer(headers).is_some() {
        return next.run(request).await;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let same_site = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text("host").or_else(|| request.uri().host());
            origin.split_once("://").map(|(_, authority)| authority) == host
        }
        (None, None) => true,
    };
    if same_site {
        next.run(request).await
    } else {
        problem_response(Problem::new(
            StatusCode::FORBIDDEN.as_u16(),
            "This request came from another site, so it was refused",
        ))
    }
}
