-- The slowest capabilities of a day, over all nodes.
--   logs: folder with a folder for each node, which has its day files. Plain and compressed files may be mixed.
--   day:  the day in UTC, such as 2026-05-26. Yesterday if it is not set.
SET VARIABLE day = coalesce(getvariable('day'), strftime(timezone('UTC', now()) - INTERVAL 1 DAY, '%Y-%m-%d'));

SELECT capability,
       count(*)                                AS calls,
       count(*) FILTER (status <> 'ok')        AS not_ok,
       round(quantile_cont(ms, 0.5), 3)        AS median_ms,
       round(quantile_cont(ms, 0.99), 3)       AS p99_ms,
       max(ms)                                 AS max_ms,
       arg_max(trace_id, ms)                   AS slowest_trace,
       regexp_extract(arg_max(filename, ms), '([^/]+)/[^/]+$', 1) AS on_node
FROM read_json(getvariable('logs') || '/*/' || getvariable('day') || '*.log*',
               format = 'newline_delimited', ignore_errors = true, filename = true,
               columns = {msg: 'VARCHAR', trace_id: 'VARCHAR', capability: 'VARCHAR', status: 'VARCHAR', ms: 'DOUBLE'})
WHERE msg = 'done' AND capability IS NOT NULL
GROUP BY capability
ORDER BY p99_ms DESC
LIMIT 20;
