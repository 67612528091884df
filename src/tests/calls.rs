//! All calls of the API, from its document: a call that is in no list is in this one.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::support::{TestServer, message};
use crate::server::openapi;

/// A call, with something to send that would do, if what it names were there.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// As in the document: `/api/intents/{intent_id}`.
    pub path: String,
    /// The lowest role that may: `viewer` to `admin`, or `instance`.
    pub role: String,
    /// Whether the tenant is a parameter of the query.
    pub in_tenant: bool,
    parameters: Vec<(String, &'static str)>,
    body: Option<(String, Vec<u8>)>,
}

impl Call {
    /// Whether it is about one tenant, by its query or by its path.
    pub fn names_tenant(&self) -> bool {
        self.in_tenant || self.path.contains("{tenant_id}")
    }

    pub fn request(&self, server: &TestServer, tenant: &str, key: Option<&str>) -> RequestBuilder {
        let mut path = self.path.replace("{tenant_id}", tenant);
        for (name, value) in &self.parameters {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        if self.in_tenant {
            path = format!("{path}?tenant_id={tenant}");
        }
        let request = server.request(self.method.clone(), &path, key);
        match &self.body {
            Some((kind, bytes)) => request.header("content-type", kind).body(bytes.clone()),
            None => request,
        }
    }
}

pub fn api_calls() -> Vec<Call> {
    let document = openapi::document();
    let schemas = &document["components"]["schemas"];
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let parameters = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            calls.push(Call {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                role: call["x-required-role"].as_str().unwrap_or_default().to_owned(),
                in_tenant: parameters
                    .iter()
                    .any(|parameter| parameter["name"] == "tenant_id" && parameter["in"] == "query"),
                parameters: of_path
                    .map(|parameter| {
                        let schema = resolve(schemas, &parameter["schema"]);
                        (parameter["name"].as_str().unwrap().to_owned(), sample(schema))
                    })
                    .collect(),
                body: call.get("requestBody").map(|body| example(schemas, body)),
            });
        }
    }
    calls
}

/// The schema itself, of a reference or of one that may be null.
fn resolve<'s>(schemas: &'s Value, schema: &'s Value) -> &'s Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return &schemas[name];
    }
    let choices = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    choices.iter().find(|choice| choice.get("$ref").is_some()).map_or(schema, |one| resolve(schemas, one))
}

fn sample(schema: &Value) -> &'static str {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer"), _) => "1",
        (_, Some("uuid")) => "01890a5d-ac96-774b-bcce-b302099a8057",
        _ => "a.csv",
    }
}

fn example(schemas: &Value, body: &Value) -> (String, Vec<u8>) {
    let (kind, content) = body["content"].as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "application/json" => {
            let schema = resolve(schemas, &content["schema"]);
            let example = content.get("example").or_else(|| schema["examples"].get(0));
            let example = example.unwrap_or_else(|| panic!("no example: {content}"));
            (kind.clone(), example.to_string().into_bytes())
        }
        "message/rfc822" => {
            (kind.clone(), message("ann@acme.example", "An example", "Of a message.").into_bytes())
        }
        "application/mbox" => {
            let message = message("ann@acme.example", "An example", "Of a message in a file.");
            (kind.clone(), format!("From ann@acme.example Mon Nov 23 10:00:00 2026\n{message}").into_bytes())
        }
        "multipart/form-data" => (
            format!("{kind}; boundary=x"),
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\na\r\n1\r\n--x--\r\n"
                .to_vec(),
        ),
        _ => (kind.clone(), b"a\n1\n".to_vec()),
    }
}
