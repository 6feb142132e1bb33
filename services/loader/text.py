"""The loader's named SQL: ``text(NAME)`` is ``queries/NAME.sql``."""

from services.common.named_sql import NamedSql

text = NamedSql("services.loader")
