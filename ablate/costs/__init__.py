"""What mixes cost, as rows of the record: counted, timed side by side, forecast and measured."""
