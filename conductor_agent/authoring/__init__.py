"""What authors do: write an extension or a workflow, try it, have it attacked and graded."""
