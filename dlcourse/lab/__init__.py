"""What studies a run: diagnosis, comparison, faithfulness of maps, range test, export."""
