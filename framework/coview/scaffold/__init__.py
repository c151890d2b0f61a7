"""New plugins: whole packages to start from, one for each kind of component."""
