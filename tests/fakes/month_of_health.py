"""A month of looks, written by the database itself: one in ten seconds, one in a thousand of a hang."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

MONTH_ROWS = 30 * 86400 // 10
_CHECKS = """
WITH RECURSIVE numbers(number) AS (
    SELECT CAST(0 AS BIGINT) UNION ALL SELECT number + 1 FROM numbers WHERE number < :rows - 1
)
INSERT INTO health_checks
    (node, at_ms, id, state, verdict, response_ms, event_loop_ms, cpu_percent, rss_bytes, disk_percent)
SELECT 'local', :end_ms - number * 10000, CAST(number AS VARCHAR(64)), 'Running',
    CASE WHEN number % 1000 = 0 THEN 'hung' ELSE 'ready' END, 4.0, 20.0, 1.5, 104857600, 40.0
FROM numbers
"""
_ROLLUPS = """
INSERT INTO health_rollups
    (node, at_ms, checks, answered, verdict, response_ms, event_loop_ms, cpu_percent, rss_bytes)
SELECT node, at_ms / 300000 * 300000, count(*), count(*), min(verdict), avg(response_ms), avg(event_loop_ms),
    avg(cpu_percent), 104857600
FROM health_checks GROUP BY node, at_ms / 300000 * 300000
"""


def fill(session: Session, end: datetime) -> int:
    """Write the month that ends then, and its five-minute rows; return how many looks there are."""
    session.execute(text(_CHECKS), {"rows": MONTH_ROWS, "end_ms": int(end.timestamp() * 1000)})
    session.execute(text(_ROLLUPS))
    return int(session.execute(text("SELECT count(*) FROM health_checks")).scalar_one())
