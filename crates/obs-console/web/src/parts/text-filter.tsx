import { useEffect, useRef, useState } from "preact/hooks";

import { change } from "../route";

/** Waits until nobody types before the filter is applied. */
const PAUSE_MS = 300;

/** Text field for a parameter of the address. */
export function TextFilter({ name, label, value, list, size = 18 }: { name: string; label: string; value: string; list?: string[]; size?: number }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef<number>();
  useEffect(() => setTyped(value), [value]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const listId = list && list.length > 0 ? `list-${name}` : undefined;
  return (
    <label class="filter">
      <span>{label}</span>
      <input
        type="text"
        size={size}
        autocomplete="off"
        spellcheck={false}
        value={typed}
        list={listId}
        onInput={(event) => {
          const text = event.currentTarget.value;
          setTyped(text);
          window.clearTimeout(timer.current);
          timer.current = window.setTimeout(() => change({ [name]: text }, true), PAUSE_MS);
        }}
      />
      {listId && (
        <datalist id={listId}>
          {list!.map((item) => (
            <option key={item} value={item} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** Choice for a parameter of the address. */
export function ChoiceFilter({ name, label, value, options }: { name: string; label: string; value: string; options: [string, string][] }) {
  return (
    <label class="filter">
      <span>{label}</span>
      <select value={value} onChange={(event) => change({ [name]: event.currentTarget.value })}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
