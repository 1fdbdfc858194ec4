import { useEffect, useState } from "preact/hooks";

import { localTime } from "../format";
import { change } from "../route";
import { LENGTHS, type TimeSpan } from "../span";
import { STEPS, endOf, stepOf } from "./steps";

/** Chooses the length of the window, and its end up to 14 days ago. */
export function WindowPicker({ span }: { span: TimeSpan }) {
  // One moment for what is shown and for what a key or the pointer chooses.
  const now = Date.now();
  const chosen = stepOf(span.until, now);
  const [step, setStep] = useState(chosen);
  useEffect(() => setStep(chosen), [chosen, span.until]);
  // The end of the window may be between two steps.
  const at = step === chosen ? span.until : endOf(step, now);
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
          min={-STEPS}
          max={0}
          step={1}
          value={step}
          aria-label="End of the window"
          aria-valuetext={text}
          onInput={(event) => setStep(Number(event.currentTarget.value))}
          onChange={(event) => change({ until: endOf(Number(event.currentTarget.value), now) })}
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
