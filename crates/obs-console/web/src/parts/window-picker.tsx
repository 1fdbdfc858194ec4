import { useEffect, useState } from "preact/hooks";

import { localTime } from "../format";
import { change } from "../route";
import { LENGTHS, type TimeSpan } from "../span";

const DAYS = 14;
/** Steps of the slider a day: one each quarter of an hour. */
const STEPS = 96;
const STEP_MS = 86_400_000 / STEPS;

/** Chooses the length of the window, and its end up to 14 days ago. */
export function WindowPicker({ span }: { span: TimeSpan }) {
  const chosen = span.until === null ? 0 : -Math.min(Math.round((Date.now() - Date.parse(span.until)) / STEP_MS), DAYS * STEPS);
  const [back, setBack] = useState(chosen);
  useEffect(() => setBack(chosen), [chosen]);
  const end = (steps: number) => (steps === 0 ? null : new Date(Math.floor(Date.now() / STEP_MS + steps) * STEP_MS).toISOString());
  const at = end(back);
  const text = at === null ? "now" : localTime(at);
  return (
    <div class="picker" role="group" aria-label="Window of time">
      <div class="lengths">
        {LENGTHS.map(([name, label]) => (
          <button type="button" key={name} aria-pressed={name === span.length} onClick={() => change({ span: name })}>
            {label}
          </button>
        ))}
      </div>
      <label class="until">
        <input
          type="range"
          min={-DAYS * STEPS}
          max={0}
          step={1}
          value={back}
          aria-label="End of the window"
          aria-valuetext={text}
          onInput={(event) => setBack(Number(event.currentTarget.value))}
          onChange={(event) => change({ until: end(Number(event.currentTarget.value)) })}
        />
        <span>until {text}</span>
      </label>
      {span.until !== null && (
        <button type="button" onClick={() => change({ until: null })}>
          Back to now
        </button>
      )}
    </div>
  );
}
