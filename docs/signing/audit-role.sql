-- The table of the audit gets an owner of its own, and the role that the bot signs in with may only read it and add to it.
-- Run once after the first start, by an administrator of the server; "bot" names the role of DATABASE_URL:
--   psql --set ON_ERROR_STOP=1 --set bot=prescreen --file docs/signing/audit-role.sql prescreen
BEGIN;
CREATE ROLE prescreen_audit NOLOGIN;
ALTER SCHEMA public OWNER TO CURRENT_USER; -- whoever owns the schema, as the database's owner does, may drop what is in it
GRANT USAGE, CREATE ON SCHEMA public TO prescreen_audit, :"bot";
ALTER TABLE audit OWNER TO prescreen_audit;
ALTER FUNCTION audit_refuses() OWNER TO prescreen_audit;
REVOKE ALL ON audit FROM PUBLIC, :"bot";
GRANT SELECT, INSERT, REFERENCES ON audit TO :"bot";
GRANT USAGE ON SEQUENCE audit_id_seq TO :"bot";
COMMIT;
