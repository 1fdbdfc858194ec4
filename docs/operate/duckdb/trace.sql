-- The lines of one trace on all nodes, in the order of time.
--   logs:  folder with a folder for each node, which has its day files.
--   trace: the trace ID.
--   day:   the day in UTC. If it is not set, the day in the trace ID, which is a ULID: its first ten letters are the time.
SET VARIABLE trace = upper(getvariable('trace'));
SET VARIABLE day = coalesce(getvariable('day'), strftime(make_timestamp(1000 * list_reduce(
    [strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', letter) - 1 FOR letter IN string_split(left(getvariable('trace'), 10), '')],
    lambda time, digit: time * 32 + digit)), '%Y-%m-%d'));

-- Whole lines are read first, because a search in text is faster than the parsing of every line. No line has the character 1.
-- The text begins with a character that few lines have: one that begins with a digit takes longer to find.
WITH found AS (
    SELECT line, filename
    FROM read_csv(getvariable('logs') || '/*/' || getvariable('day') || '*.log*',
                  columns = {line: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,
                  auto_detect = false, ignore_errors = true, filename = true)
    WHERE CASE WHEN NOT contains(line, '_id":"' || getvariable('trace')) THEN false
               WHEN NOT json_valid(line) THEN false
               ELSE line->>'trace_id' = getvariable('trace') END
)
SELECT (line->>'ts')::TIMESTAMP AS ts, regexp_extract(filename, '([^/]+)/[^/]+$', 1) AS node,
       line->>'level' AS level, line->>'logger' AS logger, line->>'msg' AS msg, line->>'capability' AS capability,
       line->>'status' AS status, (line->>'ms')::DOUBLE AS ms, line->>'code' AS code, line->>'cause' AS cause,
       line->>'target' AS target
FROM found
ORDER BY ts, node;
