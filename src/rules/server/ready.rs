//! Makes rules ready to run.

use std::collections::{HashMap, hash_map::Entry};

use super::{engine::ReadyRule, service};
use crate::{
    datasources::{
        dto::Datasource,
        server::{
            connection::Connection,
            lookup::{Cause, LookupError},
            service as datasources,
        },
    },
    rules::dto::ValidationRule,
    server::{AppState, Error, Result, TenantTx, error::chain},
    shared::{DatasourceId, Problem},
};

/// The rules in their order, each with the connection that its look-up needs.
///
/// # Errors
/// The database's.
pub async fn ready(app: &AppState, tx: &mut TenantTx, rules: &[ValidationRule]) -> Result<Vec<ReadyRule>> {
    let mut known = HashMap::new();
    let mut ready = Vec::new();
    for rule in rules {
        let found = match rule.datasource_id {
            None => None,
            Some(id) => match known.entry(id) {
                Entry::Vacant(entry) => entry.insert(find(app, tx, id).await?).clone(),
                Entry::Occupied(entry) => entry.get().clone(),
            },
        };
        let datasource = found.as_ref().map(|(datasource, _)| datasource);
        let conditions = match (datasource, rule.datasource_id) {
            (None, Some(_)) => Err(Problem::business_rule("its datasource is gone")),
            _ => service::parsed(rule, datasource).await,
        };
        // One that looks nothing up says nothing of its datasource.
        let asks = !conditions.as_ref().is_ok_and(|conditions| conditions.lookup.is_none());
        ready.push(ReadyRule {
            rule: rule.clone(),
            conditions,
            datasource_name: datasource.filter(|_| asks).map(|datasource| datasource.name.clone()),
            connection: found.filter(|_| asks).map(|(_, connection)| connection),
        });
    }
    Ok(ready)
}

/// A datasource, and how to get there. Of an earlier version of a rule it may be gone: that is this rule's `error`.
async fn find(
    app: &AppState,
    tx: &mut TenantTx,
    id: DatasourceId,
) -> Result<Option<(Datasource, Result<Connection, LookupError>)>> {
    let Some(datasource) = datasources::find(tx, id).await? else { return Ok(None) };
    let connection = match datasources::connection(app, tx, &datasource).await {
        // What cannot be read, such as a secret under another key, another server may read.
        Err(error @ Error::Internal(_)) => {
            tracing::error!(tenant = %tx.tenant(), %id, error = %chain(&error), "no connection");
            let words = "its config cannot be read here; the server's log says why";
            Err(LookupError::new(Cause::Answer, words))
        }
        found => found?.map_err(|reason| LookupError::new(Cause::Rule, reason)),
    };
    Ok(Some((datasource, connection)))
}
