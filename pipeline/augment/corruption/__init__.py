"""The 15 common corruptions at five severities: Hendrycks & Dietterich, ICLR 2019."""

from passband.pipeline.augment.corruption.catalog import CORRUPTIONS, Corruption
from passband.pipeline.augment.corruption.stage import Corrupt
from passband.pipeline.augment.corruption.tables import TABLES, table_for
from passband.pipeline.corruptions import NAMES

__all__ = ["CORRUPTIONS", "NAMES", "TABLES", "Corrupt", "Corruption", "table_for"]
