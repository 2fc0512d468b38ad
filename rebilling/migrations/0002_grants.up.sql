-- A run and what it found due are evidence: they are worked on, never deleted.
REVOKE DELETE ON rebilling_run, rebilling_rebilling FROM :application_role;
