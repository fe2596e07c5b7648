-- Gives the roles of roles.sql the passwords in the environment, as a superuser. psql sends them as they are, so that the server must not
-- log these statements, nor one of them that failed; it keeps verifiers only.
\set ON_ERROR_STOP on
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';
set password_encryption = 'scram-sha-256';
\getenv owner_password FLORIN_OWNER_PASSWORD
\getenv app_password FLORIN_APP_PASSWORD
\getenv system_password FLORIN_SYSTEM_PASSWORD
alter role florin_owner password :'owner_password';
alter role florin_app password :'app_password';
alter role florin_system password :'system_password';
