GRANT DELETE ON rebilling_run, rebilling_rebilling TO :application_role;
