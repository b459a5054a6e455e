"""Tables, engine, migrations, and one repository module per table."""
