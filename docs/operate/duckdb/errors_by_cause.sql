-- The causes of failed calls of a day, over all nodes, the most frequent first.
--   logs: folder with a folder for each node, which has its day files.
--   day:  the day in UTC. Yesterday if it is not set.
-- A node writes at most one line a second for each capability, code and target; `suppressed` of the next one counts the others.
SET VARIABLE day = coalesce(getvariable('day'), strftime(timezone('UTC', now()) - INTERVAL 1 DAY, '%Y-%m-%d'));

-- Whole lines are read first, because a search in text is faster than the parsing of every line. No line has the character 1.
-- The text begins with a letter that few lines have: one that begins with a quotation mark takes twice as long to find.
WITH failed AS (
    SELECT from_json(line, '{"ts": "TIMESTAMP", "trace_id": "VARCHAR", "capability": "VARCHAR", "code": "VARCHAR",
                              "cause": "VARCHAR", "advice": "VARCHAR", "suppressed": "BIGINT"}') AS it, filename
    FROM read_csv(getvariable('logs') || '/*/' || getvariable('day') || '*.log*',
                  columns = {line: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,
                  auto_detect = false, ignore_errors = true, filename = true)
    WHERE CASE WHEN NOT contains(line, 'msg":"call failed"') THEN false
               WHEN NOT json_valid(line) THEN false
               ELSE line->>'msg' = 'call failed' END
)
SELECT it.code AS code, it.cause AS cause, it.capability AS capability,
       sum(1 + coalesce(it.suppressed, 0))::BIGINT AS calls,
       count(DISTINCT filename)                    AS nodes,
       min(it.ts)                                  AS first_at,
       max(it.ts)                                  AS last_at,
       arg_max(it.trace_id, it.ts)                 AS last_trace,
       any_value(it.advice)                        AS advice
FROM failed
GROUP BY ALL
ORDER BY calls DESC, code, cause, capability
LIMIT 50;
