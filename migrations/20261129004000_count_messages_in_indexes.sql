-- The dashboard counts messages in an index alone, at each change. That spares it the table only where the visibility map
-- says so, which autovacuum keeps: by default it comes after a fifth of a table has changed, here after a hundredth.
ALTER TABLE emails SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);
ALTER TABLE verdicts SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);
