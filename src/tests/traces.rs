//! What a collector of OpenTelemetry gets.

use std::collections::HashMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::{Span, span::SpanKind, status::StatusCode as Failed},
};
use prost::Message;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    receivers::Receiver,
    support::{TestServer, message},
};
use crate::server::telemetry;

fn attributes(all: &[KeyValue]) -> HashMap<&str, String> {
    let text = |value: &Any| match value {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let of = |one: &KeyValue| one.value.as_ref().and_then(|value| value.value.as_ref()).map(text);
    all.iter().map(|one| (one.key.as_str(), of(one).unwrap_or_default())).collect()
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test]
async fn a_collector_gets_requests_jobs_and_look_ups_and_nothing_of_what_messages_say() {
    let collector = Receiver::start().await;
    let url = format!("{}/collect", collector.base);
    let server = TestServer::start_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).await;
    // With the log, as a server has both: their filters share what they are asked.
    let traces = telemetry::start(&server.app.config, true).unwrap().traces.expect("a collector is named");

    server.tenant("acme").await;
    let config = json!({"name": "shop", "protocol": "sqlite", "connection_json": {"path": "no-such.sqlite"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let body = json!({"name": "Shop", "datasource_type": "database", "connection_key": "shop"});
    let shop = server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [{"rule_type": "exists", "field_name": "sender_email", "datasource_id": shop.id("datasource_id"),
            "conditions": {"query": "SELECT id FROM customers WHERE email = ?", "params": ["{{sender_email}}"]}}]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email =
        server.decide("acme", message("zoe@secret-shop.example", "order of roses", "for my aunt")).await;
    let id = email["email_id"].as_str().unwrap();
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK);
    for _ in 0..5 {
        server.get("/api/emails?tenant_id=acme&q=roses").await.is(StatusCode::OK);
    }
    server.get("/nowhere/s3cret").await.is(StatusCode::NOT_FOUND);
    tokio::task::spawn_blocking(move || traces.force_flush()).await.unwrap().unwrap();

    let taken = collector.hooks();
    assert!(taken.iter().all(|call| call.path == "/collect/v1/traces"), "OTLP's path, below the collector's");
    let mut spans = Vec::new();
    for call in taken {
        let sent = ExportTraceServiceRequest::decode(call.body).unwrap();
        for resource in sent.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            assert!(attributes.iter().any(|one| one.key == "service.name"), "{attributes:?}");
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    let shown = named(&spans, "GET /api/emails/{email_id}");
    // As often as it was asked for, until it was decided.
    assert!(!shown.is_empty(), "{spans:?}");
    assert_eq!(shown[0].kind, SpanKind::Server as i32);
    let of = attributes(&shown[0].attributes);
    assert_eq!(of["http.route"], "/api/emails/{email_id}");
    assert_eq!(
        (of["http.request.method"].as_str(), of["http.response.status_code"].as_str()),
        ("GET", "200")
    );
    assert_eq!(named(&spans, "GET /api/emails").len(), 5, "none is left out");
    // One trace of a message's job and the look-ups in it.
    let jobs: Vec<&Span> =
        named(&spans, "job").into_iter().filter(|job| attributes(&job.attributes)["subject"] == id).collect();
    assert_eq!(jobs.len(), 1, "{spans:?}");
    assert_eq!(attributes(&jobs[0].attributes)["tenant"], "acme");
    let asked = named(&spans, "look_up");
    assert_eq!(asked.len(), 1, "{spans:?}");
    assert_eq!((&asked[0].trace_id, &asked[0].parent_span_id), (&jobs[0].trace_id, &jobs[0].span_id));
    let of = attributes(&asked[0].attributes);
    assert_eq!((of["kind"].as_str(), of["error.type"].as_str()), ("sqlite", "file"));
    assert_eq!(asked[0].status.as_ref().unwrap().code, Failed::Error as i32);

    // No line of the log: what is said of a fault may quote anything.
    assert!(spans.iter().all(|span| span.events.is_empty()), "{spans:?}");
    // Nobody's words, no address, no key, no path that leads nowhere.
    let told = format!("{spans:?}");
    for kept in ["secret-shop", "roses", "aunt", "customers", "s3cret", server.key.as_str()] {
        assert!(!told.contains(kept), "{kept}");
    }
}

#[tokio::test]
async fn without_a_collector_nothing_is_traced() {
    let server = TestServer::start_idle(&[]).await;
    assert!(telemetry::provider(&server.app.config).unwrap().is_none());
}
