"""Every metric in one closed table; ``docs/definitions.md`` is generated from it.

A metric is a measure of a fact (count, sum) or one measure over another (rate, mean). Names,
units and wording are docs/api.md's; what a measure counts stands in the fact's SQL file.
"""

from services.metrics_api.metric import Metric
from services.metrics_api.sales_metrics import SALES_METRICS
from services.metrics_api.visit_metrics import VISIT_METRICS

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*VISIT_METRICS, *SALES_METRICS)}
