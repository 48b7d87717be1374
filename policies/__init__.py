"""The two kinds of policy: `recovery` decides what to try next, `resource` says what is allowed."""
