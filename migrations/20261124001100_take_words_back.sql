-- What a person's last word on a message took the place of, so that it can be taken back for a while. Gone with the next run.
ALTER TABLE emails ADD COLUMN undo jsonb;

-- A view of the messages that somebody gave a name: theirs alone.
CREATE TABLE saved_filters (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    filter_id  bigint GENERATED ALWAYS AS IDENTITY,
    -- Who it belongs to, person or program.
    owner      text NOT NULL,
    name       text NOT NULL CHECK (name <> ''),
    -- As it stands in the page's address.
    query      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, filter_id),
    CONSTRAINT uq_eivs_saved_filters_name UNIQUE (tenant_id, owner, name)
);
SELECT protect_tenant_table('saved_filters'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_filters TO flowengine_app;
GRANT USAGE ON SEQUENCE saved_filters_filter_id_seq TO flowengine_app;
