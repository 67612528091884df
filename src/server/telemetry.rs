//! Logs by `tracing`: lines for people in development, JSON in production. The same spans as traces of OpenTelemetry, where a
//! collector is named. No message content, no secret.

use std::{io::IsTerminal, time::Duration};

use axum::http::StatusCode;
use opentelemetry::{
    KeyValue,
    trace::{Status, TracerProvider},
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, resource::EnvResourceDetector, trace::SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, Targets, dynamic_filter_fn},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::config::{Config, Environment};

/// How long a stop waits for the last spans to leave.
pub const FLUSH: Duration = Duration::from_secs(1);

/// The target of spans that are for traces alone: the log's lines say themselves what they are about.
pub const TRACES: &str = "flowengine::traces";

/// The target of the line that each request leaves in the log.
pub const REQUESTS: &str = "flowengine::requests";

/// Libraries warn of what strangers send: of HTML for each tag that stands in the wrong place, thousands in one message, and of
/// TLS with the words that came. What comes of it is told by us, where it matters.
const STRANGERS: &str = "html5ever=error,rustls::check=error,rustls::common_state=error,rustls::msgs=error";

/// What was started, and is to be stopped.
#[must_use]
pub struct Telemetry {
    pub(crate) traces: Option<SdkTracerProvider>,
}

/// Starts logging to standard error, where `RUST_LOG` overrides what `DEBUG` sets; and traces, where a collector is named and
/// this is a server.
///
/// # Errors
/// Where the collector's address or the library's own settings (`OTEL_…`) cannot be used.
pub fn start(config: &Config, is_server: bool) -> Result<Telemetry, ExporterBuildError> {
    let filter = filter(config, std::env::var(EnvFilter::DEFAULT_ENV).ok().as_deref());
    let traces = if is_server { provider(config)? } else { None };
    let registry = tracing_subscriber::registry();
    // A second start (several servers in one test process) keeps the first. Filters of layers have their price, which is
    // paid only where there are two.
    let _ = match &traces {
        None => registry.with(filter).with(lines(config)).try_init(),
        Some(traces) => registry.with(lines(config).with_filter(filter)).with(exported(traces)).try_init(),
    };
    Ok(Telemetry { traces })
}

/// What the log takes in. `asked` is what `RUST_LOG` says: it has the last word, but that what strangers
/// may bring about has to be named as exactly as it is here.
fn filter(config: &Config, asked: Option<&str>) -> EnvFilter {
    let default = match (config.debug, config.environment) {
        (true, _) => "info,flowengine=debug",
        (false, Environment::Production) => "warn,flowengine=info",
        // Whoever tries it out looks for the address and the link that were printed: requests would push them away.
        (false, Environment::Development) => "warn,flowengine=info,flowengine::requests=warn",
    };
    let asked = asked.and_then(|asked| EnvFilter::try_new(format!("{TRACES}=off,{STRANGERS},{asked}")).ok());
    asked.unwrap_or_else(|| EnvFilter::new(format!("{TRACES}=off,{STRANGERS},{default}")))
}

/// The log.
fn lines<S>(config: &Config) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // A file and a journal take no colours.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.environment {
        Environment::Production => lines.json().boxed(),
        Environment::Development => lines.with_target(false).boxed(),
    }
}

impl Telemetry {
    /// Sends what was not sent yet, within `FLUSH`.
    pub async fn stop(self) {
        let Some(traces) = self.traces else { return };
        // It waits for a thread of its own.
        let stopped = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last spans were not taken by the collector");
        }
    }
}

/// Sends spans to the configured collector, in lots, in a thread of its own. What a collector that is down does not take is
/// dropped, and logged: nothing waits for it.
///
/// # Errors
/// As `start`.
pub(crate) fn provider(config: &Config) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    let Some(collector) = &config.collector else { return Ok(None) };
    let exporter = SpanExporter::builder().with_http().with_endpoint(collector.as_str()).build()?;
    let version = KeyValue::new("service.version", config.app_version.clone());
    // What is set is over what is not: first `OTEL_RESOURCE_ATTRIBUTES`, then `OTEL_SERVICE_NAME`.
    let resource = Resource::builder_empty().with_service_name("flowengine").with_attribute(version);
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    let resource = match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
    Ok(Some(provider.build()))
}

/// The spans of this program alone, whatever the log leaves out, and no lines of the log: what libraries say, and what is said
/// of faults, may hold what they were given.
fn exported<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let own = Targets::new().with_target("flowengine", LevelFilter::INFO);
    // Asked each time: whoever asks whether a line would be logged, as sqlx does, leaves an answer behind that a span which
    // no filter had to be asked about would take for its own (tokio-rs/tracing#2519).
    let spans = dynamic_filter_fn(|metadata, _| metadata.is_span()).with_max_level_hint(LevelFilter::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("flowengine"))
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(own.and(spans))
}

/// What a request's span is called, as OpenTelemetry's semantic conventions have it (HTTP spans, stable): by the route, since
/// paths are as many as messages. `None` where nothing is traced: the log need not tell it as well.
pub fn request_name(config: &Config, method: &'static str, route: Option<&str>) -> Option<String> {
    let name = || route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    config.collector.as_ref().map(|_| name())
}

/// Notes of a request's span what it asks for and what came of it, by the names of the same conventions.
pub fn answered(span: &Span, method: &'static str, route: Option<&str>, status: StatusCode) {
    span.set_attribute("http.request.method", method);
    if let Some(route) = route {
        span.set_attribute("http.route", route.to_owned());
    }
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// Marks what a span stands for as failed. `why` is a word, not what an error says.
pub fn failed(span: &Span, why: &'static str) {
    span.set_attribute("error.type", why);
    span.set_status(Status::error(why));
}

#[cfg(test)]
mod tests {
    use tracing::{Dispatch, dispatcher, enabled};

    use super::*;

    fn log_of(environment: Environment, debug: bool, asked: Option<&str>) -> Dispatch {
        let mut config = Config::read(|_| None).expect("defaults hold");
        (config.environment, config.debug) = (environment, debug);
        Dispatch::new(tracing_subscriber::registry().with(filter(&config, asked)))
    }

    #[test]
    fn requests_are_told_in_production_and_where_they_are_asked_for() {
        use Environment::{Development, Production};
        // Of an ordinary one, and of one that failed.
        let takes = |environment, debug, asked: Option<&str>| {
            let log = log_of(environment, debug, asked);
            dispatcher::with_default(&log, || {
                [
                    enabled!(target: REQUESTS, tracing::Level::INFO),
                    enabled!(target: REQUESTS, tracing::Level::WARN),
                ]
            })
        };
        for (environment, debug, asked, expected) in [
            (Production, false, None, [true, true]),
            (Production, false, Some("info,flowengine::requests=warn"), [false, true]),
            (Production, false, Some("warn,flowengine::requests=info"), [true, true]),
            (Development, false, None, [false, true]),
            (Development, true, None, [true, true]),
            (Development, false, Some("warn,flowengine=info"), [true, true]),
        ] {
            assert_eq!(takes(environment, debug, asked), expected, "{environment:?} {debug} {asked:?}");
        }
    }

    #[test]
    fn what_strangers_send_makes_no_lines_unless_they_are_asked_for() {
        // Of HTML, TLS and any other library, whether a warning and an error are taken in.
        let takes = |debug, asked: Option<&str>| {
            let log = log_of(Environment::Development, debug, asked);
            dispatcher::with_default(&log, || {
                [
                    enabled!(target: "html5ever::tree_builder", tracing::Level::WARN),
                    enabled!(target: "html5ever::tree_builder", tracing::Level::ERROR),
                    enabled!(target: "rustls::msgs::handshake", tracing::Level::WARN),
                    enabled!(target: "rustls_platform_verifier", tracing::Level::WARN),
                    enabled!(target: "sqlx::pool", tracing::Level::WARN),
                ]
            })
        };
        for (debug, asked) in
            [(false, None), (true, None), (false, Some("info")), (false, Some("no=such=thing"))]
        {
            assert_eq!(takes(debug, asked), [false, true, false, true, true], "{debug} {asked:?}");
        }
        assert!(takes(false, Some("html5ever=warn"))[0]);
    }
}
