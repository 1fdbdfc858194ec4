// The last overview that a view has read. The frame of the page shows the node's name and the number of problems of it.

import type { Overview } from "./api";
import { Store } from "./store";

export const seen = new Store<Overview | null>(null);
