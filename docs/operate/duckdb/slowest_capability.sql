-- The slowest capabilities of a day, over all nodes.
--   logs: folder with a folder for each node, which has its day files. Plain and compressed files may be mixed.
--   day:  the day in UTC, such as 2026-05-26. Yesterday if it is not set.
SET VARIABLE day = coalesce(getvariable('day'), strftime(timezone('UTC', now()) - INTERVAL 1 DAY, '%Y-%m-%d'));

-- Whole lines are read first, because a search in text is faster than the parsing of every line. No line has the character 1.
-- The text begins with a letter that few lines have: one that begins with a quotation mark takes twice as long to find.
WITH ended AS (
    -- NULL for a line that is not whole.
    SELECT TRY(line->>['$.msg', '$.capability', '$.status', '$.ms']) AS it, line, filename
    FROM read_csv(getvariable('logs') || '/*/' || getvariable('day') || '*.log*',
                  columns = {line: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,
                  auto_detect = false, ignore_errors = true, filename = true)
    WHERE contains(line, 'msg":"done"')
), calls AS (
    SELECT CASE WHEN it[1] = 'done' THEN it[2] END AS capability, it[3] AS status, TRY_CAST(it[4] AS DOUBLE) AS ms,
           line, filename
    FROM ended
)
SELECT capability,
       count(*)                                AS calls,
       count(*) FILTER (status <> 'ok')        AS not_ok,
       round(quantile_cont(ms, 0.5), 3)        AS median_ms,
       round(quantile_cont(ms, 0.99), 3)       AS p99_ms,
       max(ms)                                 AS max_ms,
       arg_max(line, ms)->>'trace_id'          AS slowest_trace,
       regexp_extract(arg_max(filename, ms), '([^/]+)/[^/]+$', 1) AS on_node
FROM calls
GROUP BY capability
-- `WHERE capability IS NOT NULL` would have each line parsed once more.
HAVING count(capability) > 0
ORDER BY p99_ms DESC
LIMIT 20;
