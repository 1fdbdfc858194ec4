import { useRef } from "preact/hooks";

/** Order of a list that keeps the places of its items while the view is open, so that none moves away under the pointer. */
export function useSteadyOrder<T>(keyOf: (item: T) => string): { of: (items: T[]) => T[] } {
  const order = useRef(new Map<string, number>());
  return {
    of: (items) => {
      for (const item of items) {
        const key = keyOf(item);
        if (!order.current.has(key)) order.current.set(key, order.current.size);
      }
      return [...items].sort((one, other) => (order.current.get(keyOf(one)) ?? 0) - (order.current.get(keyOf(other)) ?? 0));
    },
  };
}
