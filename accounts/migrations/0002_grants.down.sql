ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM :application_role;
-- Those on columns go with those on their tables.
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM :application_role;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :application_role;
