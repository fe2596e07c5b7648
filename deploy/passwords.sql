-- Gives the roles of roles.sql the passwords in the environment. A password is sent as it is: keep the server from logging statements.
\set ON_ERROR_STOP on
\getenv owner_password FLORIN_OWNER_PASSWORD
\getenv app_password FLORIN_APP_PASSWORD
\getenv system_password FLORIN_SYSTEM_PASSWORD
alter role florin_owner password :'owner_password';
alter role florin_app password :'app_password';
alter role florin_system password :'system_password';
