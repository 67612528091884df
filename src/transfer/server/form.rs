//! The settings page's form: a plain one (RFC 7578), answered by the page with what came of it, so that it works
//! without WebAssembly too.

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
    response::Response,
    routing::post,
};
use leptos::prelude::provide_context;

use super::{
    document,
    service::{self, Options},
};
use crate::{
    app::shell,
    auth::authority::Permission,
    server::{
        AppState, CallerContext, Error, Result, TenantContext, aside, context::set_page_status,
        edge::headers, extract::PathId,
    },
    shared::{Problem, TenantId},
    transfer::dto::{Format, MAX_DOCUMENT, Outcome, Plan},
};

/// The parts of the form beside the document, in bytes.
const MARGIN: usize = 64 << 10;

pub fn routes() -> Router<AppState> {
    Router::new()
        // The document may stand in it twice: as a file, and as a text that is left over.
        .route("/t/{tenant_id}/settings", post(take).layer(DefaultBodyLimit::max(2 * MAX_DOCUMENT + MARGIN)))
}

#[derive(Default)]
struct Form {
    document: String,
    delete: bool,
    apply: bool,
    revision: Option<String>,
}

async fn take(
    State(app): State<AppState>,
    caller: CallerContext,
    PathId(tenant): PathId<TenantId>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut page = Request::new(axum::body::Body::empty());
    *page.method_mut() = parts.method.clone();
    *page.uri_mut() = parts.uri.clone();
    *page.headers_mut() = parts.headers.clone();
    *page.extensions_mut() = parts.extensions.clone();
    let outcome = match caller.in_tenant(&tenant).await {
        Ok(ctx) => answer(&ctx, Request::from_parts(parts, body)).await,
        Err(error) => refused(error),
    };
    let status = outcome.result.as_ref().err().map(|problem| problem.status);
    let options = app.leptos.clone();
    let render = leptos_axum::render_app_async_with_context(
        move || {
            provide_context(app.clone());
            provide_context(outcome.clone());
            headers::set_page_policy(&app);
            if let Some(status) = status {
                set_page_status(status);
            }
        },
        move || shell(options.clone()),
    );
    render(page).await
}

async fn answer(ctx: &TenantContext, request: Request) -> Outcome {
    // Before anything is read: the form may be long.
    if let Err(error) = ctx.require(Permission::Configure) {
        return refused(error);
    }
    match read(request).await {
        Err(error) => refused(error),
        Ok(form) => {
            let result = run(ctx, &form).await.map_err(Error::into_problem);
            Outcome { result, document: form.document, delete: form.delete }
        }
    }
}

fn refused(error: Error) -> Outcome {
    Outcome { result: Err(error.into_problem()), document: String::new(), delete: false }
}

async fn read(request: Request) -> Result<Form> {
    let broke_off = |_| Problem::new(400, "The form could not be read to its end");
    let mut fields = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| Problem::new(rejection.status().as_u16(), rejection.body_text()))?;
    let mut form = Form::default();
    while let Some(mut field) = fields.next_field().await.map_err(broke_off)? {
        let name = field.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broke_off)? {
            if bytes.len() + chunk.len() > MAX_DOCUMENT {
                return Err(document::too_large().into());
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes).map_err(|_| Problem::invalid_field(&*name, "must be UTF-8"))?;
        match name.as_str() {
            // Whoever chose a file means that one.
            "file" if !text.is_empty() => form.document = text,
            "document" if form.document.is_empty() => form.document = text,
            "delete" => form.delete = text == "true",
            "step" => form.apply = text == "apply",
            "revision" if !text.is_empty() => form.revision = Some(text),
            _ => {}
        }
    }
    Ok(form)
}

async fn run(ctx: &TenantContext, form: &Form) -> Result<Plan> {
    if form.document.trim().is_empty() {
        return Err(Problem::invalid_field("document", "is missing: choose a file, or paste one").into());
    }
    // A file's name says less than its first character: YAML may begin with a brace only where it is JSON as well.
    let format = if form.document.trim_start().starts_with('{') { Format::Json } else { Format::Yaml };
    let text = form.document.clone();
    let document = aside::run(move || document::parse(text.as_bytes(), format)).await?;
    let options = Options { dry_run: !form.apply, delete: form.delete, revision: form.revision.clone() };
    let plan = service::import(ctx, document.clone(), &options).await;
    match plan {
        Err(Error::Problem(problem)) if form.apply && problem.status == 412 => {
            let options = Options { dry_run: true, revision: None, ..options };
            let plan = service::import(ctx, document, &options).await?;
            // Who sent it twice is told that it is as they want it, not that nothing was stored.
            if plan.summary.is_same() { Ok(plan) } else { Err(problem.into()) }
        }
        plan => plan,
    }
}
