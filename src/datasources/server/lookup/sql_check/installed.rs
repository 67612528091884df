//! What a query calls, as the PostgreSQL knows it that is asked: no list of names holds what is installed there.

use sqlx::PgConnection;

use super::CheckedQuery;

/// One of the calls that is not known to only read. The customer's own functions, in whatever language they are written,
/// may do what their role may, and so may what PostgreSQL makes of their aggregates and ranges. Of what is compiled, an
/// extension must be one of these, and what PostgreSQL brings along one that it holds for repeatable, or one of those that
/// are none and read all the same. Else one of an unknown extension would run the text that it is given, as `crosstab` and
/// `st_mapalgebra` do, or set what outlives the look-up, as `isn_weak` does.
const UNKNOWN: &str = "SELECT p.proname::text, e.extname::text \
     FROM unnest($1::text[], $2::text[], $3::bool[]) AS c (schema, name, is_member) \
     JOIN pg_catalog.pg_proc p ON p.proname = c.name::name \
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
     LEFT JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid \
       AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' \
     LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
     WHERE CASE WHEN c.schema = '' THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = c.schema END \
     AND NOT (c.is_member AND (EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attname = p.proname) \
       OR EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.relname = p.proname))) \
     AND CASE WHEN e.extname = 'timescaledb' THEN p.provolatile <> 'i' \
       AND p.proname <> ALL ('{time_bucket_gapfill,locf,interpolate}') \
     WHEN e.extname IS NOT NULL THEN e.extname <> ALL ('{btree_gin,btree_gist,citext,cube,earthdistance,fuzzystrmatch,\
       h3,hll,hstore,intagg,intarray,ip4r,isn,ltree,pg_trgm,pgcrypto,postgis,seg,tsm_system_rows,unaccent,uuid-ossp,\
       vector,xml2}') OR p.proname = ANY ('{hll_set_defaults,hll_set_max_sparse,hll_set_output_version,isn_weak}') \
     WHEN n.nspname = 'pg_catalog' THEN p.provolatile = 'v' AND p.proname <> ALL ('{bernoulli,system,clock_timestamp,\
       timeofday,random,random_normal,setseed,gen_random_uuid,uuidv4,uuidv7,currval,lastval,pg_sequence_last_value,\
       pg_database_size,pg_indexes_size,pg_relation_size,pg_table_size,pg_tablespace_size,pg_total_relation_size,\
       pg_partition_ancestors,pg_partition_tree,pg_is_in_recovery,pg_is_wal_replay_paused,\
       pg_get_wal_replay_pause_state,pg_current_wal_lsn,pg_current_wal_insert_lsn,pg_current_wal_flush_lsn,\
       pg_last_wal_receive_lsn,pg_last_wal_replay_lsn,pg_last_xact_replay_timestamp,pg_last_committed_xact,\
       pg_xact_commit_timestamp,pg_xact_commit_timestamp_origin,pg_xact_status,txid_status,pg_blocking_pids,\
       current_query,pg_collation_actual_version,pg_database_collation_actual_version,pg_control_checkpoint,\
       pg_control_init,pg_control_recovery,pg_control_system,pg_current_logfile,pg_jit_available,array_sample,\
       array_shuffle}') \
     ELSE l.lanname = 'c' OR (l.lanname = 'internal' AND p.provolatile = 'v') END \
     LIMIT 1";

/// What is wrong with what the query calls, in a sentence.
///
/// # Errors
/// The database's.
pub async fn fault(conn: &mut PgConnection, query: &CheckedQuery) -> sqlx::Result<Option<String>> {
    if query.calls.is_empty() {
        return Ok(None);
    }
    let schemas: Vec<&str> = query.calls.iter().map(|call| call.schema.as_str()).collect();
    let names: Vec<&str> = query.calls.iter().map(|call| call.name.as_str()).collect();
    let are_members: Vec<bool> = query.calls.iter().map(|call| call.is_member).collect();
    let unknown: Option<(String, Option<String>)> =
        sqlx::query_as(UNKNOWN).bind(schemas).bind(names).bind(are_members).fetch_optional(conn).await?;
    Ok(unknown.map(|(name, extension)| match extension {
        Some(extension) => format!(
            "must only read rows: the function {name} of the extension {extension} is not known to do only that; \
             whoever owns the database may call it in a function of their own"
        ),
        None => format!("must only read rows: the function {name} is not allowed"),
    }))
}
