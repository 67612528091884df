//! The audit log as a file: CSV (RFC 4180) or JSON Lines, page by page, so that a long one costs no memory.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::service;
use crate::{
    audit::dto::{AuditEntry, AuditFilter},
    server::{
        Error, Result, TenantContext,
        paging::{MAX_LIMIT, Page},
    },
    shared::{AuditId, Problem},
};

/// How the log is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// RFC 4180; JSON Lines has none that is registered.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::JsonLines => "application/jsonl",
        }
    }
}

const HEAD: [&str; 10] = [
    "audit_id",
    "occurred_at",
    "actor_kind",
    "actor",
    "address",
    "request_id",
    "action",
    "object_id",
    "before",
    "after",
];

/// All entries that the filter lets through, newest first.
///
/// # Errors
/// 403. A fault after the first page breaks the body off.
pub async fn stream(ctx: TenantContext, filter: AuditFilter, format: Format) -> Result<Response> {
    let first = page(&ctx, &filter, None).await?;
    let head = match format {
        Format::Csv => csv(&[HEAD.map(str::to_owned)])?,
        Format::JsonLines => Vec::new(),
    };
    let following = stream::try_unfold(Some(first), move |entries| {
        let (ctx, filter) = (ctx.clone(), filter.clone());
        async move {
            let Some(entries) = entries else { return Ok::<_, Error>(None) };
            let next = match entries.last() {
                Some(last) if entries.len() as i64 == MAX_LIMIT => {
                    Some(page(&ctx, &filter, Some(last.audit_id)).await?)
                }
                _ => None,
            };
            Ok(Some((written(&entries, format)?, next)))
        }
    });
    let body = stream::once(async { Ok(head) }).chain(following).map_err(|error: Error| {
        // Logged here: the caller sees but a body that ends too early.
        std::io::Error::other(error.into_problem().detail)
    });
    let (more, name) = match format {
        Format::Csv => ("; charset=utf-8", "audit-log.csv"),
        Format::JsonLines => ("", "audit-log.jsonl"),
    };
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned() + more),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

async fn page(ctx: &TenantContext, filter: &AuditFilter, cursor: Option<AuditId>) -> Result<Vec<AuditEntry>> {
    service::list(ctx, filter, Page { limit: MAX_LIMIT, cursor }).await
}

fn written(entries: &[AuditEntry], format: Format) -> Result<Vec<u8>> {
    match format {
        Format::JsonLines => {
            let mut bytes = Vec::new();
            for entry in entries {
                serde_json::to_writer(&mut bytes, entry).map_err(Error::internal)?;
                bytes.push(b'\n');
            }
            Ok(bytes)
        }
        Format::Csv => csv(&entries.iter().map(row).collect::<Vec<_>>()),
    }
}

fn row(entry: &AuditEntry) -> [String; 10] {
    let json =
        |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        entry.audit_id.to_string(),
        entry.occurred_at.to_rfc3339(),
        entry.actor_kind.to_string(),
        entry.actor.clone(),
        entry.address.clone().unwrap_or_default(),
        entry.request_id.clone().unwrap_or_default(),
        entry.action.clone(),
        entry.object_id.clone(),
        json(&entry.before),
        json(&entry.after),
    ]
    .map(harmless)
}

/// A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection); names are chosen by people.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

fn csv(rows: &[[String; 10]]) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}

impl std::str::FromStr for Format {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            _ => Err(Problem::invalid_field("format", "must be json, csv or jsonl")),
        }
    }
}
