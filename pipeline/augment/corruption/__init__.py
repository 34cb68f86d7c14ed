"""The 15 common corruptions at five severities: Hendrycks & Dietterich, ICLR 2019."""

from passband.pipeline.augment.corruption.catalog import CORRUPTIONS
from passband.pipeline.augment.corruption.stage import Corrupt
from passband.pipeline.augment.corruption.tables import NAMES, TABLES, table_for

__all__ = ["CORRUPTIONS", "NAMES", "TABLES", "Corrupt", "table_for"]
