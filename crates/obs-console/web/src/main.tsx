import { render } from "preact";

import { App } from "./app";
import { takeTokenOfLink } from "./views/login";
import "uplot/dist/uPlot.min.css";
import "./style.css";

void takeTokenOfLink().then(() => render(<App />, document.getElementById("app")!));
