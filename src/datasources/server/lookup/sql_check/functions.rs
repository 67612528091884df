//! The functions that a query calls, and those that none may call.

use sqlparser::tokenizer::{Token, Word};

/// A name that stands where a function's would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Empty where none is given.
    pub schema: String,
    pub name: String,
    /// Without parentheses, behind a dot: a column or a table, in most cases. To PostgreSQL, `(x).f` and `x.f` are
    /// `f(x)` where x has no such column, which the database alone can say.
    pub is_member: bool,
}

/// PostgreSQL's own functions that reach beyond the data, as files, other servers, other sessions, settings, sequences,
/// text that is run as SQL, or time that is only spent, and those of the extensions that come with it. What else is
/// installed is known to the database alone (`installed`). A low-privilege role forbids most; this is the second fence. A
/// trailing `*` stands for any ending.
const POSTGRES: &[&str] = &[
    "pg_read_*",
    "pg_ls_*",
    "pg_stat_file",
    "pg_file_*",
    "pg_logdir_ls",
    "pg_sleep*",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile*",
    "pg_switch_wal",
    "pg_wal_replay_*",
    "pg_create_*",
    "pg_drop_*",
    "pg_copy_*",
    "pg_replication_origin_*",
    "pg_replication_slot_advance",
    "pg_logical_*",
    "pg_advisory_*",
    "pg_try_advisory_*",
    "pg_notify",
    "pg_nextoid",
    "pg_log_*",
    "pg_backup_*",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_export_snapshot",
    "pg_stat_reset*",
    "pg_promote",
    "pg_import_*",
    "binary_upgrade_*",
    "brin_summarize_*",
    "brin_desummarize_*",
    "gin_clean_pending_list",
    "lo_close",
    "lo_creat*",
    "lo_export",
    "lo_from_bytea",
    "lo_get",
    "lo_import*",
    "lo_lseek*",
    "lo_open",
    "lo_put",
    "lo_tell*",
    "lo_truncate*",
    "lo_unlink",
    "loread",
    "lowrite",
    "set_config",
    "setval",
    "nextval",
    "query_to_xml*",
    "cursor_to_xml*",
    "table_to_xml*",
    "schema_to_xml*",
    "database_to_xml*",
    "ts_stat",
    "ts_rewrite",
    // Extensions
    "dblink*",
    "crosstab*",
    "connectby",
    "xpath_table",
    "pg_prewarm",
    "autoprewarm_*",
    "pg_stat_statements_reset",
    "pg_truncate_visibility_map",
    "heap_force_*",
    "postgres_fdw_disconnect*",
    "http_get",
    "http_post",
    "http_put",
    "http_patch",
    "http_delete",
    "http_head",
    // PostGIS, which puts their parameters into SQL as they are.
    "find_extent",
    "st_findextent",
];

/// The same of the others. Who may call any function of MySQL's may call all that were installed.
const OTHERS: &[&str] = &[
    // MySQL and MariaDB
    "load_file",
    "sleep",
    "benchmark",
    "get_lock",
    "release_lock",
    "release_all_locks",
    "service_get_read_locks",
    "service_get_write_locks",
    "service_release_locks",
    "version_tokens_*",
    "keyring_key_*",
    "group_replication_*",
    "asynchronous_connection_failover_*",
    "master_pos_wait",
    "master_gtid_wait",
    "wait_for_executed_gtid_set",
    "wait_until_sql_thread_after_gtids",
    "wsrep_sync_wait_upto_gtid",
    "source_pos_wait",
    "spider_direct_sql",
    "spider_bg_direct_sql",
    "spider_copy_tables",
    "spider_flush_table_mon_cache",
    "mroonga_command",
    "sys_exec",
    "sys_eval",
    "sys_bineval",
    "sys_get",
    "sys_set",
    // SQLite
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fts3_tokenizer",
];

/// The calls among these tokens, without those of blanks and comments.
pub fn calls(solid: &[&Token]) -> Vec<Call> {
    let mut calls = Vec::new();
    for (i, token) in solid.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let is_behind_dot = i > 0 && *solid[i - 1] == Token::Period;
        let is_called = solid.get(i + 1).is_some_and(|next| **next == Token::LParen);
        if is_called || is_behind_dot {
            let schema = match i.checked_sub(2).map(|place| solid[place]) {
                Some(Token::Word(schema)) if is_called && is_behind_dot => spelled(schema),
                _ => String::new(),
            };
            calls.push(Call { schema, name: spelled(word), is_member: !is_called });
        }
    }
    calls
}

/// A name as PostgreSQL keeps it.
fn spelled(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_ascii_lowercase() }
}

/// Whether no query may call it.
pub fn is_forbidden(call: &Call) -> bool {
    let name = call.name.to_ascii_lowercase();
    let is_in = |names: &[&str]| {
        names.iter().any(|forbidden| {
            forbidden.strip_suffix('*').map_or(name == *forbidden, |start| name.starts_with(start))
        })
    };
    !call.is_member && (is_in(POSTGRES) || is_in(OTHERS))
}
