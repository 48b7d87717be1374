"""What people look at: charts, tables, pages."""
