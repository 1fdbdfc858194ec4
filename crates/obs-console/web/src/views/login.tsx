import { useState } from "preact/hooks";

import { Refused, connection, write } from "../client";

export function LoginView() {
  const [token, setToken] = useState("");
  const [refusal, setRefusal] = useState<string | null>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    try {
      await openSession(token.trim());
    } catch (error) {
      setRefusal(error instanceof Refused && error.status === 401 ? "This is not the token." : String((error as Error).message));
    }
  };
  return (
    <section class="login">
      <h1>Token</h1>
      <p>
        This node shows its console to those who have its token. On the node's machine, <code>hearthnet console</code> prints a link that contains it.
      </p>
      <form onSubmit={(event) => void send(event)}>
        <label class="filter">
          <span>Token</span>
          <input type="password" autocomplete="current-password" size={40} value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={token.trim() === ""}>
          Open the console
        </button>
      </form>
      {refusal !== null && (
        <p class="refused" role="alert">
          {refusal}
        </p>
      )}
    </section>
  );
}

async function openSession(token: string): Promise<void> {
  await write("POST", "session", { token });
  connection.set("ok");
}

/** Opens a session with the token of a link, and removes the token from the address and the history of the browser. */
export async function takeTokenOfLink(): Promise<void> {
  const token = /^#token=([0-9A-Za-z]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  history.replaceState(null, "", "#/overview");
  await openSession(token).catch(() => undefined);
}
