// The node that is tested: that of CONSOLE_URL, or the mock.

import { start } from "../../mock/server.mjs";

export const isMock = process.env.CONSOLE_URL === undefined;

/** Reason to skip a test that needs a node whose state the test can change. */
export const needsMock = isMock ? false : "needs a node that the test can stop";

/**
 * Returns the address of the console, with a slash at its end, and what ends the node. A node of a test ends with it, so that a failed test
 * leaves nothing that keeps the run from its end.
 */
export async function node(options, context = null) {
  if (isMock) {
    const target = await start(options);
    context?.after(() => target.close());
    return target;
  }
  const url = process.env.CONSOLE_URL.replace(/\/?$/, "/");
  return { url, state: {}, close: async () => undefined };
}
