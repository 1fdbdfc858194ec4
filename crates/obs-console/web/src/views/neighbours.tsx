import type { Peers } from "../api";
import { count, duration, NONE, percent, shortId } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { Status } from "../parts/status";
import { Time } from "../parts/time";
import { usePoll } from "../poll";

export function NeighboursView() {
  const polled = usePoll<Peers>("peers", 5000);
  return (
    <section>
      <h1>Neighbours</h1>
      <p class="soft">The peers as this node sees them.</p>
      <Answer of={polled}>
        {({ peers, none_because }) =>
          peers.length === 0 ? (
            <Empty>
              No peer. {none_because ?? ""} Peers of <code>static_peers</code> under <code>[discovery]</code> and peers that the node finds are here.
            </Empty>
          ) : (
            <div class="scroll" tabIndex={0} role="region" aria-label="Peers">
              <table class="stack">
                <caption class="unseen">Peers</caption>
                <thead>
                  <tr>
                    <th scope="col">Peer</th>
                    <th scope="col">State</th>
                    <th scope="col">Since</th>
                    <th scope="col" class="num">Latency</th>
                    <th scope="col" class="num">Calls to it</th>
                    <th scope="col" class="num">Failed</th>
                    <th scope="col">Version</th>
                    <th scope="col" class="num">Its problems</th>
                  </tr>
                </thead>
                <tbody>
                  {peers.map((peer) => (
                    <tr key={peer.address}>
                      <th scope="row">
                        <span class="clamp" title={peer.name}>
                          <Name of={peer.name} />
                        </span>
                        <span class="cause">
                          {peer.address !== peer.name && <Name of={peer.address} />}
                          {peer.id && peer.id !== peer.name && (
                            <>
                              {" "}
                              <code title={peer.id}>{shortId(peer.id)}</code>
                            </>
                          )}
                        </span>
                      </th>
                      <td>
                        <Status status={peer.up ? "up" : "down"} />
                        {peer.last_error && (
                          <span class="cause">
                            <bdi>{peer.last_error}</bdi>
                          </span>
                        )}
                      </td>
                      <td data-label="Since">{peer.since ? <Time at={peer.since} form="ago" /> : NONE}</td>
                      <td class="num" data-label="Latency">{duration(peer.latency_ms)}</td>
                      <td class="num" data-label="Calls to it">{count(peer.calls)}</td>
                      <td class="num" data-label="Failed">{peer.errors === 0 ? "0" : `${count(peer.errors)} (${percent(peer.errors, peer.calls)})`}</td>
                      <td data-label="Version">
                        <bdi>{peer.version ?? NONE}</bdi>
                      </td>
                      <td class="num" data-label="Its problems">{peer.problems_open ?? NONE}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Answer>
    </section>
  );
}
