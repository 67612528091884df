//! Makes rules ready to run.

use std::collections::{HashMap, hash_map::Entry};

use super::{engine::ReadyRule, service};
use crate::{
    datasources::server::{
        lookup::{Cause, LookupError},
        service as datasources,
    },
    rules::dto::ValidationRule,
    server::{AppState, Error, Result, TenantTx, error::chain},
    shared::Problem,
};

/// The rules in their order, each with the connection that its look-up needs.
///
/// # Errors
/// The database's.
pub async fn ready(app: &AppState, tx: &mut TenantTx, rules: &[ValidationRule]) -> Result<Vec<ReadyRule>> {
    let mut known = HashMap::new();
    let mut ready = Vec::new();
    for rule in rules {
        let datasource = match rule.datasource_id {
            None => None,
            Some(id) => {
                if let Entry::Vacant(entry) = known.entry(id) {
                    // Of an earlier version it may be gone: that is this rule's `error`.
                    let found = match datasources::find(tx, id).await? {
                        Some(datasource) => {
                            // What cannot be read, such as a secret under another key, another server may read.
                            let connection = match datasources::connection(app, tx, &datasource).await {
                                Err(error @ Error::Internal(_)) => {
                                    tracing::error!(tenant = %tx.tenant(), %id, error = %chain(&error), "no connection");
                                    let words = "its config cannot be read here; the server's log says why";
                                    Err(LookupError::new(Cause::Answer, words))
                                }
                                found => found?.map_err(|reason| LookupError::new(Cause::Rule, reason)),
                            };
                            Some((datasource, connection))
                        }
                        None => None,
                    };
                    entry.insert(found);
                }
                known.get(&id).cloned().flatten()
            }
        };
        let conditions = match (&datasource, rule.datasource_id) {
            (None, Some(_)) => Err(Problem::business_rule("its datasource is gone")),
            _ => service::parsed(rule, datasource.as_ref().map(|(datasource, _)| datasource)).await,
        };
        ready.push(ReadyRule {
            rule: rule.clone(),
            conditions,
            datasource_name: datasource.as_ref().map(|(datasource, _)| datasource.name.clone()),
            connection: datasource.map(|(_, connection)| connection),
        });
    }
    Ok(ready)
}
