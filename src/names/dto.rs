//! Wire types of names.

use serde::{Deserialize, Serialize};

use crate::rules::dto::wire_enum;

wire_enum!(
    /// What carries the name.
    NamedKind { Intent = "intent", Datasource = "datasource", Config = "config", Route = "route" }
);

/// One thing by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Named {
    pub kind: NamedKind,
    pub id: i64,
    pub name: String,
}
