-- Run once, when the volume is empty: a database and a role each for the platform and MLflow; neither may enter the other's.
\set ON_ERROR_STOP on
\getenv platform_name PLATFORM_DATABASE
\getenv platform_user PLATFORM_USER
\getenv platform_password PLATFORM_PASSWORD
\getenv mlflow_name MLFLOW_DATABASE
\getenv mlflow_user MLFLOW_USER
\getenv mlflow_password MLFLOW_PASSWORD

CREATE ROLE :"platform_user" LOGIN PASSWORD :'platform_password';
CREATE DATABASE :"platform_name" OWNER :"platform_user";
REVOKE ALL ON DATABASE :"platform_name" FROM PUBLIC;

CREATE ROLE :"mlflow_user" LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE :"mlflow_name" OWNER :"mlflow_user";
REVOKE ALL ON DATABASE :"mlflow_name" FROM PUBLIC;
