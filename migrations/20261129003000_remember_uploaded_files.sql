-- What was uploaded, by whichever server. The files themselves are on the disk, in a folder that all servers share. One that
-- does not share it has other files, or older ones, and would judge by them: this tells them apart.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

CREATE TABLE uploaded_files (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    -- Within the tenant's folder.
    path        text NOT NULL CHECK (path <> ''),
    size        bigint NOT NULL CHECK (size >= 0),
    -- The file's own time. What replaces it has a later one.
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, path)
);

SELECT protect_tenant_table('uploaded_files'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON uploaded_files TO flowengine_app;
