"""What is known about models: windows, limits, capabilities and prices, as data with a loader."""

from providers.catalog.catalog import Catalog
from providers.catalog.cost import cost
from providers.catalog.kept import KeptLists

__all__ = ["Catalog", "KeptLists", "cost"]
