//! The API's document (OpenAPI 3.1), and the pages to browse it.
//!
//! Each call stands in it by the attribute of its own handler, each body by its own type. What every call has in
//! common, because the extractors or the layers around it answer so, is added here.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, HeaderValue, header},
    routing::get,
};
use serde_json::{Map, Value, json};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    IntoParams,
    openapi::{ObjectBuilder, OpenApi, Type, schema::Object},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{AppState, http, idempotency};
use crate::{
    intents::dto::MESSAGE_FIELDS,
    routes::server::event::DecidedEvent,
    shared::{Problem, TenantId},
};

mod free_form;
pub mod queries;
mod webhooks;

/// What the integrator reads first.
const INTRODUCTION: &str = include_str!("openapi/introduction.md");

/// Swagger UI's styles are set by its scripts; its icons are in its style sheet.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The tenant of the request.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the context reads it; it is here for the API's document")]
pub struct InTenant {
    /// The tenant that is worked in.
    tenant_id: TenantId,
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "`Query::page` reads them; they are here for the API's document")]
pub struct Paging {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// From the `Link` of the page before.
    cursor: Option<String>,
}

/// What a change is to be made to.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "`IfMatch` reads it; it is here for the API's document")]
pub struct Unchanged {
    /// The `ETag` of what was read: where it was changed since, nothing is done (RFC 9110, section 13.1.1).
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// Whether a list leaves out what is not active.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "`Query::flag` reads it; it is here for the API's document")]
pub struct Active {
    /// Whether to leave out what is not active.
    #[param(default = false)]
    active_only: Option<bool>,
}

/// The schema of what `Checks::name` takes.
pub fn name() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(200))
        .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))
        .build()
}

/// The schema of a field that every message has.
pub fn message_field() -> Object {
    field_pattern(&[])
}

/// The schema of what an extractor looks at.
pub fn extracted_field() -> Object {
    field_pattern(&["subject_and_body"])
}

fn field_pattern(more: &[&str]) -> Object {
    let words = [&MESSAGE_FIELDS, more].concat().join("|");
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("`new_text` is the body, of an answer without what it quotes of earlier messages."))
        .pattern(Some(format!(r"^({words}|header\.[A-Za-z0-9_-]+)$")))
        .build()
}

/// What is in the document without any call.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(Problem, DecidedEvent)))]
pub struct Base;

/// The whole document.
pub fn document() -> Value {
    finish(http::api(0).into_openapi())
}

/// As it is printed and committed.
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// `GET /api/openapi.json` and `GET /docs`, for everyone.
pub fn routes(api: OpenApi) -> Router<AppState> {
    let document = Bytes::from(finish(api).to_string());
    let policy = SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(DOCS_POLICY),
    );
    // Or it would have the document checked by a host of its own.
    let config = Config::new(["/api/openapi.json"]).validator_url("none").try_it_out_enabled(false);
    let docs = Router::from(SwaggerUi::new("/docs").config(config)).layer(policy);
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    Router::new().route("/api/openapi.json", get(async move || (headers, document))).merge(docs)
}

/// Adds what is common to all calls, and what attributes cannot say.
fn finish(api: OpenApi) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["openapi"] = "3.1.0".into();
    document["info"] = json!({
        "title": "FlowEngine",
        "version": env!("CARGO_PKG_VERSION"),
        "description": INTRODUCTION,
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"key": []}, {"session": []}]);
    finish_paths(&mut document);
    document["webhooks"] = webhooks::all();
    finish_schemas(&mut document["components"]["schemas"]);
    let answered_only = answered_only(&document);
    for name in &answered_only {
        require_nullable(&mut document["components"]["schemas"][name]);
    }
    document["components"]["responses"] = refusals();
    document["components"]["parameters"] = json!({"IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Sent with the same request again within a day, it gives the first answer again, and nothing is \
            done. A request that was refused (4xx, 503) may be sent with it again, mended or as it was, and is done then.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }});
    document["components"]["securitySchemes"] = json!({
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, `fe_…`, for one tenant and role, or for the installation.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-flowengine_session",
            "description": "The cookie of a person who signed in; `flowengine_session` where there is no TLS. \
                What changes something must then come from a page of this server.",
        },
    });
    document
}

/// Of `Retry-After`, where a call answers 409.
const WHILE_UNDER_WAY: &str =
    "Seconds, while the first request with this `Idempotency-Key` is under way: not in any other case";

/// What the extractors and layers around a call answer.
fn refusals() -> Value {
    let problem = |description: &str, header: Option<(&str, &str)>| {
        let mut response = json!({
            "description": description,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
        if let Some((name, of)) = header {
            response["headers"] = json!({name: {"description": of, "schema": {"type": "string"}}});
        }
        response
    };
    json!({
        "400": problem("The body broke off", None),
        "401": problem("Neither a key nor a session that holds", Some(("WWW-Authenticate", "`Bearer`"))),
        "403": problem(
            "The role is too low, the tenant is inactive, or the request came from another site",
            None,
        ),
        "404": problem("It does not exist, is another tenant's, or the caller has no part in the tenant", None),
        "408": problem("The body came in too slowly", None),
        "409": problem(
            "The first request with this `Idempotency-Key` is under way, or broke off",
            Some(("Retry-After", WHILE_UNDER_WAY)),
        ),
        "412": problem("It was changed since it was read", None),
        "413": problem("The body is larger than this server takes", None),
        "415": problem("The body is of another content type", None),
        "422": problem("A parameter or the body is malformed: `errors` names each field at fault", None),
        "429": problem("Too many requests", Some(("Retry-After", "Seconds"))),
        "500": problem("Something went wrong here: the sentence holds an id that is in the log", None),
        "503": problem("The server is busy or its database is away: it took nothing in", Some(("Retry-After", "Seconds"))),
        "504": problem("The call took longer than a call may", None),
    })
}

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn finish_paths(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let all = std::mem::take(paths);
    for (path, mut item) in all {
        // The router's `{*path}` takes slashes too; OpenAPI has no word for it.
        let path = path.replace("{*", "{");
        let is_versioned = has_parameter(&item["put"], "If-Match");
        for method in METHODS {
            if let Some(call) = item.get_mut(method) {
                finish_call(&path, method, call);
                if is_versioned && let Some(answer) = call["responses"].get_mut("200") {
                    answer["headers"]["ETag"] = json!({
                        "description": "Another one whenever something differs that is set; what changes by itself, as a \
                            count, a sign of life or what training found, may change without it",
                        "schema": {"type": "string"},
                    });
                }
            }
        }
        paths.insert(path, item);
    }
}

fn has_parameter(call: &Value, name: &str) -> bool {
    let parameters = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    parameters.iter().any(|parameter| parameter["name"] == name)
}

fn finish_call(path: &str, method: &str, call: &mut Value) {
    let (names_something, is_paged) =
        (has_parameter(call, "tenant_id") || path.contains('{'), has_parameter(call, "cursor"));
    let takes_body = call.get("requestBody").is_some();
    let takes_any_type = call["requestBody"]["content"].get("application/octet-stream").is_some();
    let mut common = vec!["401", "403", "422", "429", "500", "503", "504"];
    if names_something {
        common.push("404");
    }
    if has_parameter(call, "If-Match") {
        common.push("412");
    }
    // As the layer around the calls has it: of a `POST` within a tenant that does something.
    if method == "post"
        && !idempotency::only_tells(path)
        && has_parameter(call, "tenant_id")
        && let Some(parameters) = call["parameters"].as_array_mut()
    {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
        common.extend(["409", "413"]);
        if let Some(conflict) = call["responses"].get_mut("409") {
            conflict["headers"] =
                json!({"Retry-After": {"description": WHILE_UNDER_WAY, "schema": {"type": "string"}}});
        }
    }
    if takes_body {
        common.extend(["400", "408", "413"]);
        if !takes_any_type {
            common.push("415");
        }
    }
    for parameter in call.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if parameter["in"] == "query" && parameter["required"] != true {
            parameter["allowEmptyValue"] = true.into();
        }
    }
    let Some(responses) = call["responses"].as_object_mut() else { return };
    for (status, response) in &mut *responses {
        if status.starts_with('4') && response.get("content").is_none() {
            response["content"] =
                json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        }
    }
    if is_paged && let Some(page) = responses.get_mut("200") {
        page["headers"] = json!({"Link": {
            "description": "`<…>; rel=\"next\"` (RFC 8288), where there may be more",
            "schema": {"type": "string"},
        }});
    }
    for status in common {
        responses
            .entry(status)
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{status}")}));
    }
    responses.sort_keys();
}

/// Bodies that may be what a `GET` gave: what is only read stands in them unheeded.
const READ_BACK: [(&str, &str); 10] = [
    ("TenantInput", "Tenant"),
    ("IntentInput", "Intent"),
    ("RuleInput", "ValidationRule"),
    ("DatasourceInput", "Datasource"),
    ("DatasourceConfigInput", "DatasourceConfig"),
    ("RouteInput", "Route"),
    ("RetentionInput", "Retention"),
    ("GateInput", "Classifier"),
    ("MailboxInput", "Mailbox"),
    ("MemberInput", "Member"),
];

/// Of these, whatever may be left out may be null, and is then as if it were.
const NULL_AS_LEFT_OUT: [&str; 10] = [
    "TenantInput",
    "IntentInput",
    "IntentWithRulesInput",
    "MatchConditions",
    "Extractor",
    "DatasourceInput",
    "DatasourceConfigInput",
    "RuleInput",
    "PreviewInput",
    "DryRunInput",
];

fn finish_schemas(schemas: &mut Value) {
    for (input, answer) in READ_BACK {
        let all = schemas[answer]["properties"].as_object().cloned().unwrap_or_default();
        if let Some(taken) = schemas[input]["properties"].as_object_mut() {
            for (name, _) in all {
                taken
                    .entry(name)
                    .or_insert_with(|| json!({"description": "Read back; not heeded in a body."}));
            }
        }
    }
    for (schema, property, name) in free_form::PLACES {
        schemas[schema]["properties"][property] = json!({"$ref": format!("#/components/schemas/{name}")});
    }
    for name in NULL_AS_LEFT_OUT {
        allow_null(&mut schemas[name]);
    }
    if let (Some(schemas), Value::Object(more)) = (schemas.as_object_mut(), free_form::schemas()) {
        schemas.extend(more);
        schemas.sort_keys();
    }
}

/// As `validate::null_as` reads it.
fn allow_null(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if required.iter().any(|other| other == name) {
            continue;
        }
        if property["type"].is_string() {
            property["type"] = json!([property["type"], "null"]);
        } else if property.get("$ref").is_some() {
            *property = json!({"oneOf": [property, {"type": "null"}]});
        }
    }
}

/// The schemas that no request's body holds.
fn answered_only(document: &Value) -> Vec<String> {
    let schemas = &document["components"]["schemas"];
    let mut sent = Vec::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for method in METHODS {
            collect_references(&item[method]["requestBody"], schemas, &mut sent);
        }
    }
    let all = schemas.as_object().into_iter().flat_map(Map::keys);
    all.filter(|name| !sent.contains(name)).cloned().collect()
}

fn collect_references(value: &Value, schemas: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, schemas, found)),
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            if let Some(name) = name
                && !found.iter().any(|other| other == name)
            {
                found.push(name.to_owned());
                collect_references(&schemas[name], schemas, found);
            }
            members.values().for_each(|member| collect_references(member, schemas, found));
        }
        _ => {}
    }
}

/// In an answer, what may be null is there all the same; what may be left out is never null.
fn require_nullable(schema: &mut Value) {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        parts.iter_mut().for_each(require_nullable);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    let is_null = |value: &Value| *value == "null" || value["type"] == "null";
    let nullable = |property: &Value| {
        [&property["type"], &property["oneOf"]].into_iter().filter_map(Value::as_array).flatten().any(is_null)
    };
    let missing: Vec<Value> = properties
        .iter()
        .filter(|(_, property)| nullable(property))
        .map(|(name, _)| Value::from(name.as_str()))
        .collect();
    if missing.is_empty() {
        return;
    }
    if !schema["required"].is_array() {
        schema["required"] = json!([]);
    }
    if let Some(required) = schema["required"].as_array_mut() {
        for name in missing {
            if !required.contains(&name) {
                required.push(name);
            }
        }
    }
}
