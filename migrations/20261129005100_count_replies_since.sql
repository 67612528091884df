-- no-transaction
-- Replies are counted since a moment. The address is of no use in an index: its function is not leakproof, so row-level
-- security keeps it from being looked at before the tenant is. Made while others write: the table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_deliveries_replies_since ON deliveries (tenant_id, created_at)
    WHERE kind = 'reply';
