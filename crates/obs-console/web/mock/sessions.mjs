// Sessions of viewers, held by a cookie as on the node.

const COOKIE = "hearthnet-console";

export class Sessions {
  constructor(token) {
    this.token = token;
    this.next = 2;
    /** The session of another viewer, so that there is one to end. */
    this.open = new Map([["1", { address: "192.168.1.77", since: new Date(Date.now() - 3_600_000).toISOString() }]]);
  }

  /** Returns the ID of the request's session. */
  of(request) {
    const id = new RegExp(`(?:^|; )${COOKIE}=(\\d+)`).exec(request.headers.cookie ?? "")?.[1];
    return id !== undefined && this.open.has(id) ? id : null;
  }

  begin(address) {
    const id = String(this.next++);
    this.open.set(id, { address, since: new Date().toISOString() });
    return { session: this.shown(id, id), cookie: `${COOKIE}=${id}; Path=/console/; HttpOnly; SameSite=Strict` };
  }

  list(own) {
    return { sessions: [...this.open.keys()].reverse().map((id) => this.shown(id, own)) };
  }

  shown(id, own) {
    return { id, ...this.open.get(id), last_seen: new Date().toISOString(), is_own: id === own };
  }
}
