import type { Sessions } from "../api";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Time } from "../parts/time";
import { Refusal, useWrite } from "../parts/write";
import { usePoll } from "../poll";

export function SessionsView() {
  const polled = usePoll<Sessions>("sessions", 10_000);
  const writing = useWrite(polled.reload);
  return (
    <section>
      <h1>Sessions</h1>
      <p class="soft">Viewers who gave the token. The node's own user on its own machine needs no session.</p>
      <Refusal of={writing} />
      <Answer of={polled}>
        {({ sessions }) =>
          sessions.length === 0 ? (
            <Empty>
              No session is open. <code>hearthnet console</code> prints a link that opens one.
            </Empty>
          ) : (
            <ul class="sessions">
              {sessions.map((session) => (
                <li key={session.id} class="card">
                  <p>
                    <bdi>{session.address}</bdi> {session.is_own && <span class="tag">this one</span>}
                  </p>
                  <p class="soft">
                    Since <Time at={session.since} />, last seen <Time at={session.last_seen} form="ago" />
                  </p>
                  <button type="button" onClick={() => void writing.send("DELETE", `sessions/${encodeURIComponent(session.id)}`)}>
                    End it
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
    </section>
  );
}
