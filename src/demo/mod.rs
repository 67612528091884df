//! Two tenants to look at, with their data: a SQLite file, a CSV, and an HTTP API that this server offers.
//!
//! Everything is made by the same services that people and programs use.

pub mod api;
mod data;

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    datasources::{
        dto::{DatasourceConfigInput, DatasourceInput},
        server::{config_service, service as datasources},
    },
    emails::server::service as emails,
    intents::{
        dto::{IntentInput, IntentWithRulesInput},
        server::service as intents,
    },
    mailboxes::{
        dto::{MailDomains, MailboxInput},
        server::service as mailboxes,
    },
    routes::server::service as routes,
    server::{
        AppState, CallerContext, Error, Result, TenantContext, etag::IfMatch, extract::parse_json,
        paging::Page,
    },
    shared::{Problem, TenantId},
    tenants::{dto::TenantInput, server::service as tenants},
};
use data::{DEMOS, Demo};

/// What a demo's `demo.json` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    tenant: TenantInput,
    mail: MailDomains,
    mailboxes: Vec<MailboxInput>,
    datasource_configs: Vec<DatasourceConfigInput>,
    datasources: Vec<DatasourceInput>,
    intents: Vec<ScriptIntent>,
    /// As in `POST /api/routes`, but an intent is named.
    routes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptIntent {
    intent: IntentInput,
    /// As in `with-rules`, but a datasource is named.
    validation_rules: Vec<Value>,
}

/// Loads the demo as the server's own doing.
///
/// # Errors
/// As `load_for`.
pub async fn load(app: &AppState) -> Result<()> {
    load_for(&CallerContext::system(app.clone())).await
}

/// Loads each of the demo's tenants that is not there, as the caller's doing. Of one that is, only the address of the
/// demo's API is brought up to date: the server may listen elsewhere today.
///
/// # Errors
/// 403 for anyone but an instance administrator; whatever a service says. A tenant that could not be loaded whole is
/// taken away again.
pub async fn load_for(caller: &CallerContext) -> Result<()> {
    caller.require_instance_admin()?;
    for demo in &DEMOS {
        let script = script(&caller.app, demo)?;
        let id: TenantId = demo.tenant.parse().map_err(Error::internal)?;
        match tenants::create(caller, script.tenant.clone()).await {
            Ok(_) => {}
            Err(Error::Problem(problem)) if problem.status == 409 => {
                refresh_address(&caller.in_tenant(&id).await?, demo).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let ctx = caller.in_tenant(&id).await?;
        if let Err(error) = fill(&ctx, demo, script).await {
            tenants::delete(caller, &id, &IfMatch::any()).await?;
            return Err(error);
        }
        tracing::info!(tenant = %id, "demo loaded");
    }
    Ok(())
}

fn script(app: &AppState, demo: &Demo) -> Result<Script> {
    let text =
        demo.script.replace("{{DEMO_API}}", &api::base_url(app)).replace("{{DEMO_TOKEN}}", &api::token(app));
    Ok(parse_json(text.as_bytes())?)
}

async fn fill(ctx: &TenantContext, demo: &Demo, script: Script) -> Result<()> {
    write_files(ctx, demo).await?;
    mailboxes::set_domains(ctx, script.mail, &IfMatch::any()).await?;
    for mailbox in script.mailboxes {
        mailboxes::create(ctx, mailbox).await?;
    }
    for config in script.datasource_configs {
        config_service::create(ctx, config).await?;
    }
    let mut ids: HashMap<String, i64> = HashMap::new();
    let mut intent_ids: HashMap<String, i64> = HashMap::new();
    for datasource in script.datasources {
        let made = datasources::create(ctx, datasource).await?;
        ids.insert(made.name, made.datasource_id.0);
    }
    for ScriptIntent { intent, validation_rules } in script.intents {
        let validation_rules = validation_rules
            .into_iter()
            .map(|rule| with_id(rule, "datasource", &ids))
            .collect::<Result<_>>()?;
        let made = intents::create_with_rules(ctx, IntentWithRulesInput { intent, validation_rules }).await?;
        intent_ids.insert(made.intent.name, made.intent.intent_id.0);
    }
    for route in script.routes {
        routes::create(ctx, with_id(route, "intent", &intent_ids)?).await?;
    }
    // The first of the files last, so that it stands on top of the list.
    for (_, raw) in demo.messages.iter().rev() {
        emails::receive(ctx, "demo", raw.to_vec(), None).await?;
    }
    Ok(())
}

/// What a script says, where it names something by `what`, with the id of that.
fn with_id<T: DeserializeOwned>(mut item: Value, what: &str, ids: &HashMap<String, i64>) -> Result<T> {
    if let Some(members) = item.as_object_mut()
        && let Some(name) = members.remove(what)
        && let Some(name) = name.as_str()
    {
        let id = ids.get(name).ok_or_else(|| Problem::business_rule(format!("Invalid {what} '{name}'")))?;
        members.insert(format!("{what}_id"), (*id).into());
    }
    let bytes = serde_json::to_vec(&item).map_err(Error::internal)?;
    Ok(parse_json(&bytes)?)
}

async fn write_files(ctx: &TenantContext, demo: &Demo) -> Result<()> {
    let folder = ctx.app.config.files_dir(&ctx.tenant);
    fs::create_dir_all(&folder).map_err(Error::internal)?;
    for (name, text) in demo.files {
        match name.strip_suffix(".sql") {
            Some(stem) => write_sqlite(&folder.join(format!("{stem}.sqlite")), text)?,
            None => write_settled(&folder.join(name), text.as_bytes()).map_err(Error::internal)?,
        }
    }
    Ok(())
}

/// Writes a file of which nobody is to wait until it is whole: it is older than it could be if it were still being written.
pub fn write_settled(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
}

fn write_sqlite(path: &Path, sql: &str) -> Result<()> {
    let _ = fs::remove_file(path);
    let conn = rusqlite::Connection::open(path).map_err(Error::internal)?;
    conn.execute_batch(sql).map_err(Error::internal)
}

async fn refresh_address(ctx: &TenantContext, demo: &Demo) -> Result<()> {
    let ours = format!("/demo-api/{}", demo.tenant);
    let address = format!("{}/{}", api::base_url(&ctx.app), demo.tenant);
    let script = script(&ctx.app, demo)?;
    for config in config_service::list(ctx, Page::first()).await? {
        let Some(url) = &config.base_url else { continue };
        if !url.ends_with(&ours) || *url == address {
            continue;
        }
        // With its secret: masked, it is kept for the address that it was entered for alone.
        let Some(input) = script.datasource_configs.iter().find(|input| input.name == config.name) else {
            continue;
        };
        config_service::replace(ctx, config.config_id, input.clone(), &IfMatch::any()).await?;
    }
    Ok(())
}
