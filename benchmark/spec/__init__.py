"""Every file format of the suite as frozen, strict types; the only readers of user-written YAML."""
