"""What an embedded store tells of itself: one file for each statement; ``text`` reads it."""

from services.common.named_sql import NamedSql

text = NamedSql("services.standalone")
