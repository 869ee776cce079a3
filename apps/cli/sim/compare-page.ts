// A comparison as one self-contained page: the table, and loss against tokens, bytes and simulated seconds. The chart library lies inside.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Row } from "#sim";
import { type CompareReport, inBytes, settingLine, tableCells, tableHead } from "./compare-command.ts";

interface Curve {
  readonly label: string;
  readonly points: readonly {
    readonly tokens: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly loss: number;
  }[];
}

/** Mean over the seeds, evaluation by evaluation; a run that diverged is left out. */
function curveOf({ title, runs }: Row): Curve {
  const whole = runs.filter(({ diverged }) => !diverged);
  const count = Math.min(...whole.map(({ points }) => points.length));
  const mean = (of: (run: Row["runs"][number]) => number): number =>
    whole.reduce((sum, run) => sum + of(run), 0) / whole.length;
  const points = Array.from({ length: Number.isFinite(count) ? count : 0 }, (_, i) => ({
    tokens: mean(({ points }) => points[i].tokens),
    bytes: mean(({ points }) => points[i].bytes),
    seconds: mean(({ points }) => points[i].seconds),
    loss: mean(({ points }) => points[i].loss),
  }));
  return { label: title, points };
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);

export async function comparePage(report: CompareReport): Promise<string> {
  const uplot = join(dirname(createRequire(import.meta.url).resolve("uplot/package.json")), "dist");
  const [script, style] = await Promise.all(
    ["uPlot.iife.min.js", "uPlot.min.css"].map((name) => readFile(join(uplot, name), "utf8")),
  );
  const curves = report.rows.map(curveOf);
  const data = JSON.stringify({ curves, report }).replaceAll("<", "\\u003c");
  const head = tableHead.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const body = report.rows
    .map((row) => {
      const [first, ...rest] = tableCells(row).map(escaped);
      return `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
    })
    .join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Methods compared: ${escaped(report.run)}</title>
<style>${style}
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); white-space: nowrap; }
th:first-child { text-align: left; }
figure { margin: 2rem 0; }
figcaption { font-weight: 600; }
.u-legend { text-align: left !important; }
</style>
<h1>Methods compared</h1>
<p>${escaped(settingLine(report))}. DDP over a ring, f32 at every step, moves ${inBytes(report.ringBytes)} a peer.</p>
<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>
${body}
</tbody></table></div>
<figure><figcaption>Evaluation loss (nats per token) against tokens</figcaption><div id="tokens"></div></figure>
<figure><figcaption>Evaluation loss against bytes of a peer (logarithmic)</figcaption><div id="bytes"></div></figure>
<figure><figcaption>Evaluation loss against simulated seconds</figcaption><div id="seconds"></div></figure>
<script type="application/json" id="data">${data}</script>
<script>${script}</script>
<script>
const { curves } = JSON.parse(document.getElementById("data").textContent);
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"]; // Okabe and Ito's, and two more
const ink = getComputedStyle(document.body).color;
for (const axis of ["tokens", "bytes", "seconds"]) {
  const xs = [...new Set(curves.flatMap(({ points }) => points.map((point) => point[axis])))].filter((x) => axis !== "bytes" || x > 0).sort((a, b) => a - b);
  const ys = curves.map(({ points }) => { const at = new Map(points.map((point) => [point[axis], point.loss])); return xs.map((x) => at.get(x) ?? null); });
  const line = { stroke: ink, grid: { stroke: "#8884" }, ticks: { stroke: "#8884" } };
  new uPlot({
    width: Math.min(960, document.body.clientWidth), height: 320,
    scales: { x: { time: false, distr: axis === "bytes" ? 3 : 1 } },
    axes: [{ ...line, values: (_, ticks) => ticks.map((t) => t === null ? "" : new Intl.NumberFormat("en", { notation: "compact" }).format(t)) }, line],
    series: [{ label: axis }, ...curves.map(({ label }, i) => ({ label, stroke: colours[i % colours.length], width: 2, spanGaps: true, dash: i < colours.length ? [] : [6, 4], points: { show: true, size: 5 } }))],
  }, [xs, ...ys], document.getElementById(axis));
}
</script>
</html>
`;
}
